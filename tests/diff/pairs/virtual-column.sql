-- virtual column
-- since: 18

CREATE TABLE t (a int, c int GENERATED ALWAYS AS (a + 1) VIRTUAL);

-- after

CREATE TABLE t (a int, b text GENERATED ALWAYS AS (a::text) VIRTUAL, c int GENERATED ALWAYS AS (a + 2) VIRTUAL);

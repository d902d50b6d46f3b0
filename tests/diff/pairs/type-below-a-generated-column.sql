-- type below a generated column

CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED);

-- after

CREATE TABLE t (a bigint, b bigint GENERATED ALWAYS AS (a * 2) STORED);

-- generated becomes plain

CREATE TABLE t (a int, b int GENERATED ALWAYS AS (a * 2) STORED);

-- after

CREATE TABLE t (a int, b int);

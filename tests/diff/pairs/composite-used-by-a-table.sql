-- composite used by a table

CREATE TYPE c AS (a int, b text); CREATE TABLE t (x c);

-- after

CREATE TYPE c AS (a int, b text, d date); CREATE TABLE t (x c);

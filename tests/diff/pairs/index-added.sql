-- index added

CREATE TABLE t (a int, b text);

-- after

CREATE TABLE t (a int, b text); CREATE INDEX t_a ON t (a); CREATE UNIQUE INDEX t_b ON t (lower(b)) INCLUDE (a);

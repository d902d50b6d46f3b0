-- unique index becomes constraint

CREATE TABLE t (a int); CREATE UNIQUE INDEX t_a ON t (a);

-- after

CREATE TABLE t (a int CONSTRAINT t_a UNIQUE);

-- index renamed

CREATE TABLE t (a int); CREATE INDEX i ON t (a);

-- after

CREATE TABLE t (a int); CREATE INDEX j ON t (a);

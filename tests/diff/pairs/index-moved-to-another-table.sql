-- index moved to another table

CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX i ON t (a);

-- after

CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE INDEX i ON u (a);

-- table becomes view

CREATE TABLE t (a int); CREATE TABLE x (a int);

-- after

CREATE TABLE t (a int); CREATE VIEW x AS SELECT a FROM t;

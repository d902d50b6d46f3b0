-- statistics on a dropped column

CREATE TABLE t (a int, b int); CREATE STATISTICS s ON a, b FROM t;

-- after

CREATE TABLE t (a int);

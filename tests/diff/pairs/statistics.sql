-- statistics

CREATE TABLE t (a int, b int, c int); CREATE STATISTICS s ON a, b FROM t;

-- after

CREATE TABLE t (a int, b int, c int); CREATE STATISTICS s (ndistinct) ON a, c FROM t; ALTER TABLE t ALTER a SET STATISTICS 500;

-- view columns added

CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a FROM t;

-- after

CREATE TABLE t (a int, b int); CREATE VIEW v AS SELECT a, b FROM t;

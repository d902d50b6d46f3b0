-- view to another table and chain

CREATE TABLE t (a int, b text); CREATE VIEW v1 AS SELECT a, b FROM t; CREATE VIEW v2 AS SELECT a, b FROM v1; CREATE VIEW v3 AS SELECT b FROM v2;

-- after

CREATE TABLE t (a int, b varchar(10)); CREATE VIEW v1 AS SELECT a, b FROM t; CREATE VIEW v2 AS SELECT a, b FROM v1; CREATE VIEW v3 AS SELECT b FROM v2;

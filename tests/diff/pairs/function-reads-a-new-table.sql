-- function reads a new table

-- nothing

-- after

CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS SETOF t LANGUAGE sql AS 'SELECT a FROM t'; CREATE VIEW v AS SELECT a FROM f(); CREATE PROCEDURE p() LANGUAGE sql AS 'DELETE FROM t';

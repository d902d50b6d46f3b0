-- function of an index

CREATE FUNCTION f(a int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT a'; CREATE TABLE t (a int); CREATE INDEX i ON t (f(a));

-- after

CREATE FUNCTION f(a int) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT a'; CREATE TABLE t (a int); CREATE INDEX i ON t (f(a));

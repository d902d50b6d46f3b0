-- function with parsed body
-- since: 14

CREATE TABLE t (a int);

-- after

CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT a FROM t; END;

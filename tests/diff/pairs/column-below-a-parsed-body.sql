-- column below a parsed body
-- since: 14

CREATE TABLE t (a int); CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT a FROM t; END;

-- after

CREATE TABLE t (a bigint); CREATE FUNCTION f() RETURNS bigint BEGIN ATOMIC SELECT a FROM t; END;

-- default calls a function

CREATE TABLE t (a int);

-- after

CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE TABLE t (a int DEFAULT f());

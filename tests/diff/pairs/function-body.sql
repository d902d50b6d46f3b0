-- function body

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';

-- after

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT a + 1';

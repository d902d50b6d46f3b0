-- function arguments

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';

-- after

CREATE FUNCTION f(a int, b int DEFAULT 2) RETURNS int LANGUAGE sql AS 'SELECT a + b';

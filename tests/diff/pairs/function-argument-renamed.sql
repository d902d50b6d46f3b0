-- function argument renamed

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT $1';

-- after

CREATE FUNCTION f(b int) RETURNS int LANGUAGE sql AS 'SELECT $1';

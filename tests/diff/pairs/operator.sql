-- operator

-- nothing

-- after

CREATE FUNCTION f(int, int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 = $2'; CREATE OPERATOR === (FUNCTION = f, LEFTARG = int, RIGHTARG = int); CREATE TABLE t (a int CHECK (a === 1));

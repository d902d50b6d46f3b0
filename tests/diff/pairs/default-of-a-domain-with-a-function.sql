-- default of a domain with a function

CREATE TABLE t (a int);

-- after

CREATE FUNCTION ok(int) RETURNS boolean IMMUTABLE LANGUAGE sql AS 'SELECT $1 > 0'; CREATE DOMAIN d AS int CHECK (ok(VALUE)) DEFAULT 1; CREATE TABLE t (a d);

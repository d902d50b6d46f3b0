-- function of a generated column

CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int, b int GENERATED ALWAYS AS (f(a)) STORED);

-- after

CREATE FUNCTION f(int) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int, b int GENERATED ALWAYS AS (f(a)) STORED);

-- function of a check and a policy

CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int CHECK (f(a) > 0)); CREATE POLICY p ON t USING (f(a) = 1);

-- after

CREATE FUNCTION f(int) RETURNS bigint IMMUTABLE LANGUAGE sql AS 'SELECT 1'; CREATE TABLE t (a int CHECK (f(a) > 0)); CREATE POLICY p ON t USING (f(a) = 1);

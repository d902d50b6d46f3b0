-- function and table of one name

-- nothing

-- after

CREATE TABLE x (a int); CREATE FUNCTION x() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE VIEW v AS SELECT a, x() AS b FROM x;

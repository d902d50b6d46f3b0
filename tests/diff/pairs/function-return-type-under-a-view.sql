-- function return type under a view

CREATE FUNCTION f(a int) RETURNS int LANGUAGE sql AS 'SELECT a';
CREATE VIEW v AS SELECT f(1) AS x;

-- after

CREATE FUNCTION f(a int) RETURNS text LANGUAGE sql AS 'SELECT a::text';
CREATE VIEW v AS SELECT f(1) AS x;

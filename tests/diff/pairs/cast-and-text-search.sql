-- cast and text search

-- nothing

-- after

CREATE TYPE c AS (a int); CREATE FUNCTION f(c) RETURNS int LANGUAGE sql AS 'SELECT $1.a'; CREATE CAST (c AS int) WITH FUNCTION f(c); CREATE TEXT SEARCH CONFIGURATION ts (COPY = simple);

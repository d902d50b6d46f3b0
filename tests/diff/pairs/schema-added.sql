-- schema added

-- nothing

-- after

CREATE SCHEMA s; CREATE TABLE s.t (id serial PRIMARY KEY); CREATE VIEW s.v AS SELECT id FROM s.t; CREATE TYPE s.e AS ENUM ('a'); CREATE FUNCTION s.f(s.e) RETURNS int LANGUAGE sql AS 'SELECT 1';

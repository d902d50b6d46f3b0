-- view on a dropped table
-- drop: public.t

CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE VIEW v AS SELECT a FROM t;

-- after

CREATE TABLE u (a int); CREATE VIEW v AS SELECT a FROM u;

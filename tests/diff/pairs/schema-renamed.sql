-- schema renamed
-- rename: a=b

CREATE SCHEMA a; CREATE TABLE a.t (id int PRIMARY KEY); CREATE VIEW a.v AS SELECT id FROM a.t;

-- after

CREATE SCHEMA b; CREATE TABLE b.t (id int PRIMARY KEY); CREATE VIEW b.v AS SELECT id FROM b.t;

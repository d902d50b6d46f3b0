-- table moved to another schema
-- rename: a.t=b.t

CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE a.t (id int, n text);

-- after

CREATE SCHEMA a; CREATE SCHEMA b; CREATE TABLE b.t (id int, n text);

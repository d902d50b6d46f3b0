-- publication

CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t;

-- after

CREATE TABLE t (a int PRIMARY KEY); CREATE PUBLICATION p FOR TABLE t WITH (publish = 'insert');

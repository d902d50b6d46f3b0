-- published table dropped

CREATE TABLE t (a int); CREATE TABLE u (a int); CREATE PUBLICATION p FOR TABLE t, u;

-- after

CREATE TABLE u (a int); CREATE PUBLICATION p FOR TABLE u;

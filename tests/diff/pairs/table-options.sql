-- table options

CREATE TABLE t (a text) WITH (fillfactor = 70);

-- after

CREATE UNLOGGED TABLE t (a text) WITH (autovacuum_enabled = false); ALTER TABLE t ALTER a SET STORAGE EXTERNAL; ALTER TABLE t REPLICA IDENTITY FULL;

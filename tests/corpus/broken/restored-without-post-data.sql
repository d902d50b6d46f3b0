-- verdict: no
-- codes: key-missing, index-missing
-- A restore that stopped before its last section: tables and rows, no keys, no indexes.
CREATE TABLE restored (LIKE state_snapshots INCLUDING DEFAULTS);
DROP TABLE state_snapshots;
ALTER TABLE restored RENAME TO state_snapshots;

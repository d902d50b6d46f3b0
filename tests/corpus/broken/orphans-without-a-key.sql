-- verdict: no
-- codes: orphan-rows, key-missing
-- only: contract rows
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id;
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version) VALUES ('s1', 'nowhere', 'x', '{}', 1);

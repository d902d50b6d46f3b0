-- verdict: no
-- codes: orphan-rows
-- only: contract rows
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id;
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version) VALUES ('s1', 'nowhere', 'x', '{}', 1);
ALTER TABLE state_snapshots ADD CONSTRAINT fk_state_snapshots_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conname = 'fk_state_snapshots_execution_id';

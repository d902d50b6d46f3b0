-- verdict: no
-- codes: key-wrong-match
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id,
    ADD CONSTRAINT fk_state_snapshots_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) MATCH FULL ON DELETE CASCADE;

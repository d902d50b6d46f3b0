-- verdict: no
-- codes: key-wrong-on-update
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id,
    ADD CONSTRAINT fk_state_snapshots_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE ON UPDATE CASCADE;

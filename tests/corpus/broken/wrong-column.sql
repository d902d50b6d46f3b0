-- verdict: no
-- codes: key-wrong-columns
ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id,
    ADD CONSTRAINT fk_rollback_actions_execution_id FOREIGN KEY (snapshot_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

-- verdict: no
-- codes: key-not-enforced
-- from: 18
ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id,
    ADD CONSTRAINT fk_rollback_actions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT ENFORCED;

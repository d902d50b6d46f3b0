-- verdict: no
-- codes: key-wrong-on-delete
-- from: 15
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE SET NULL (execution_id);

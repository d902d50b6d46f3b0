-- verdict: no
-- codes: key-wrong-on-delete
ALTER TABLE step_executions ALTER COLUMN execution_id DROP NOT NULL, DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE SET NULL;

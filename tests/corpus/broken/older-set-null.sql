-- verdict: no
-- codes: key-action-defeated
ALTER TABLE step_executions ALTER COLUMN execution_id DROP NOT NULL, DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD CONSTRAINT older FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE SET NULL;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

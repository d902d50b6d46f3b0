-- verdict: no
-- codes: key-action-defeated
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD CONSTRAINT older FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE ON UPDATE CASCADE;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

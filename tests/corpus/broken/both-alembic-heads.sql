-- verdict: no
-- codes: key-action-defeated
-- The blocking key is the older one and fires first.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

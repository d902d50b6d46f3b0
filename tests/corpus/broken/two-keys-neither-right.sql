-- verdict: no
-- codes: key-not-valid
-- The named one is NOT VALID, the valid one does not cascade.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE step_executions ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);

-- verdict: yes
-- codes: key-action-fragile
-- The older NO ACTION key waits for the commit, when nothing is left to complain of.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD CONSTRAINT older FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

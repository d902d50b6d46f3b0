-- verdict: yes
-- codes: key-action-fragile
ALTER TABLE step_executions ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);

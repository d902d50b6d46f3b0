-- verdict: yes
-- codes: key-duplicate
ALTER TABLE step_executions ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id) ON DELETE CASCADE;

-- verdict: yes
-- codes: key-action-fragile
ALTER TABLE step_executions ADD CONSTRAINT younger FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE SET NULL;

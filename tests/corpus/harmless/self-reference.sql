-- verdict: yes
ALTER TABLE workflow_executions ADD CONSTRAINT fk_parent FOREIGN KEY (parent_execution_id)
    REFERENCES workflow_executions (id) ON DELETE SET NULL;

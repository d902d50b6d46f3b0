-- verdict: yes
ALTER TABLE step_executions ADD COLUMN origin_id varchar(36) REFERENCES workflow_executions (id) ON DELETE SET NULL;

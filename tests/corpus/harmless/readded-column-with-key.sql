-- verdict: yes
ALTER TABLE step_executions DROP COLUMN execution_id;
ALTER TABLE step_executions ADD COLUMN execution_id varchar(36) NOT NULL;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

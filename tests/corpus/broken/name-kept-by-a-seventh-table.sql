-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
CREATE TABLE impostor (execution_id varchar(36), CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE);

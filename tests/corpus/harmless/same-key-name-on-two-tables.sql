-- verdict: yes
CREATE TABLE impostor (execution_id varchar(36), CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_definitions (id) NOT VALID);

-- verdict: yes
-- Equal names there multiply the rows of a join on names.
CREATE SCHEMA other;
CREATE TABLE other.workflow_executions (id varchar(36) PRIMARY KEY);
CREATE TABLE other.step_executions (execution_id varchar(36), CONSTRAINT fk_step_executions_execution_id
    FOREIGN KEY (execution_id) REFERENCES other.workflow_executions (id) NOT VALID);

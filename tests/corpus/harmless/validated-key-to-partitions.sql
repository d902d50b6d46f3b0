-- verdict: yes
-- VALIDATE leaves the copies for the referenced partitions NOT VALID on 15; they check nothing of their own.
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id;
DROP TABLE workflow_definitions;
CREATE TABLE workflow_definitions (id varchar(36) PRIMARY KEY) PARTITION BY HASH (id);
CREATE TABLE workflow_definitions_0 PARTITION OF workflow_definitions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE workflow_definitions_1 PARTITION OF workflow_definitions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE workflow_executions ADD CONSTRAINT fk_workflow_executions_workflow_id FOREIGN KEY (workflow_id)
    REFERENCES workflow_definitions (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE workflow_executions VALIDATE CONSTRAINT fk_workflow_executions_workflow_id;

-- verdict: no
-- codes: key-wrong-target
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id,
    ADD CONSTRAINT fk_workflow_executions_workflow_id FOREIGN KEY (workflow_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

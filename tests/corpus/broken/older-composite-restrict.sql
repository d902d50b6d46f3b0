-- verdict: no
-- codes: key-action-defeated
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE workflow_executions ADD CONSTRAINT uq_id_status UNIQUE (id, status);
ALTER TABLE step_executions ADD CONSTRAINT older FOREIGN KEY (execution_id, status)
    REFERENCES workflow_executions (id, status) ON DELETE RESTRICT;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

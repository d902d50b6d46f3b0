-- verdict: no
-- codes: key-wrong-columns
ALTER TABLE workflow_executions ADD CONSTRAINT uq_id_status UNIQUE (id, status);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id, status)
    REFERENCES workflow_executions (id, status) ON DELETE CASCADE;

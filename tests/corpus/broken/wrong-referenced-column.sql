-- verdict: no
-- codes: key-wrong-target
ALTER TABLE workflow_executions ADD CONSTRAINT uq_correlation UNIQUE (correlation_id);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (correlation_id) ON DELETE CASCADE;

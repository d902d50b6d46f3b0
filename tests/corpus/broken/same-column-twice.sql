-- verdict: no
-- codes: key-wrong-columns
-- (a, a) to (x, y): as a set of columns it looks like the right key.
ALTER TABLE workflow_executions ADD CONSTRAINT uq_id_correlation UNIQUE (id, correlation_id);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id, execution_id)
    REFERENCES workflow_executions (id, correlation_id) ON DELETE CASCADE;

-- verdict: no
-- codes: key-wrong-name
ALTER TABLE step_executions RENAME CONSTRAINT fk_step_executions_execution_id TO other;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id CHECK (retry_count >= 0);

-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;

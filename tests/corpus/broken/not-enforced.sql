-- verdict: no
-- codes: key-not-enforced
-- from: 18
ALTER TABLE step_executions ALTER CONSTRAINT fk_step_executions_execution_id NOT ENFORCED;

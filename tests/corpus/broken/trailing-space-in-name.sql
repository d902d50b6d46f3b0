-- verdict: no
-- codes: key-wrong-name
ALTER TABLE step_executions RENAME CONSTRAINT fk_step_executions_execution_id TO "fk_step_executions_execution_id ";

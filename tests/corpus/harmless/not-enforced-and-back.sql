-- verdict: yes
-- from: 18
ALTER TABLE step_executions ALTER CONSTRAINT fk_step_executions_execution_id NOT ENFORCED;
ALTER TABLE step_executions ALTER CONSTRAINT fk_step_executions_execution_id ENFORCED;

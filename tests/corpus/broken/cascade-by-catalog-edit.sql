-- verdict: no
-- codes: key-trigger-missing
-- The catalog says CASCADE, the trigger that acts is still the one of NO ACTION.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
UPDATE pg_constraint SET confdeltype = 'c' WHERE conname = 'fk_step_executions_execution_id';

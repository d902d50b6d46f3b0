-- verdict: no
-- codes: key-missing
-- A CHECK constraint bears the key's name, and another table's key as well.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id CHECK (execution_id <> '');
ALTER TABLE state_snapshots ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

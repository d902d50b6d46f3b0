-- verdict: no
-- codes: key-wrong-target
CREATE SCHEMA other;
CREATE TABLE other.workflow_executions (LIKE public.workflow_executions INCLUDING ALL);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES other.workflow_executions (id) ON DELETE CASCADE;

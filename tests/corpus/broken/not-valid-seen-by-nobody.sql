-- verdict: no
-- codes: key-not-valid
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

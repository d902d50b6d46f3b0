-- verdict: no
-- codes: key-not-valid, cannot-see
-- role: corpus_nobody
-- What is certain is said, even where the rest cannot be seen.
CREATE ROLE corpus_nobody LOGIN;
REVOKE SELECT ON pg_catalog.pg_trigger FROM PUBLIC;
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

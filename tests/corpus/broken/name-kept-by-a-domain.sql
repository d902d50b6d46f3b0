-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
CREATE DOMAIN key_text AS varchar(36) CONSTRAINT fk_step_executions_execution_id CHECK (value <> '');

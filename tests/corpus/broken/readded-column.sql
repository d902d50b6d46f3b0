-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions DROP COLUMN execution_id;
ALTER TABLE step_executions ADD COLUMN execution_id varchar(36) NOT NULL;

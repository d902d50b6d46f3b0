-- verdict: no
-- codes: key-wrong-columns
ALTER TABLE step_executions RENAME COLUMN execution_id TO run_id;
ALTER TABLE step_executions ADD COLUMN execution_id varchar(36);

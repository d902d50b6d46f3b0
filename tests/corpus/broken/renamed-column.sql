-- verdict: no
-- codes: column-missing
ALTER TABLE step_executions RENAME COLUMN execution_id TO run_id;

-- verdict: no
-- codes: key-missing, orphan-rows
-- only: contract rows
-- The column became an integer, so the key is gone and could not come back.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ALTER COLUMN execution_id TYPE integer USING 1;
INSERT INTO step_executions (id, execution_id, step_id, status) VALUES ('s', 7, 'x', 'y');

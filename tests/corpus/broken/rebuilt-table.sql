-- verdict: no
-- codes: key-missing
-- LIKE … INCLUDING ALL copies everything but foreign keys.
ALTER TABLE step_executions RENAME TO step_executions_old;
CREATE TABLE step_executions (LIKE step_executions_old INCLUDING ALL);

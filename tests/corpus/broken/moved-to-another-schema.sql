-- verdict: no
-- codes: table-missing, key-missing
CREATE SCHEMA other;
ALTER TABLE step_executions SET SCHEMA other;

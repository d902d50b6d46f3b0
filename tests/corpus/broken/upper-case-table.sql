-- verdict: no
-- codes: table-missing, key-missing
ALTER TABLE step_executions RENAME TO "STEP_EXECUTIONS";

-- verdict: no
-- codes: key-trigger-disabled
ALTER TABLE step_executions DISABLE TRIGGER ALL;

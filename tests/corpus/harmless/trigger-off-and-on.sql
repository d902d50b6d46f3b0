-- verdict: yes
ALTER TABLE step_executions DISABLE TRIGGER ALL;
ALTER TABLE step_executions ENABLE TRIGGER ALL;

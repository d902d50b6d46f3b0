-- verdict: yes
-- codes: table-unlogged
ALTER TABLE step_executions SET UNLOGGED;

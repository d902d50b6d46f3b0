-- verdict: yes
ALTER TABLE step_executions ALTER COLUMN execution_id TYPE varchar(36) COLLATE "C";

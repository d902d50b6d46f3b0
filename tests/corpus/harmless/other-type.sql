-- verdict: yes
ALTER TABLE step_executions ALTER COLUMN execution_id TYPE text;
CREATE DOMAIN key_text AS varchar(36);
ALTER TABLE state_snapshots ALTER COLUMN execution_id TYPE key_text;

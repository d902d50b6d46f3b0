-- verdict: yes
CREATE DOMAIN key_text AS varchar(36) CONSTRAINT fk_step_executions_execution_id CHECK (value <> '');
ALTER TABLE state_snapshots ADD CONSTRAINT fk_step_executions_execution_id CHECK (version >= 0);

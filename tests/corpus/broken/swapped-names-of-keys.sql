-- verdict: no
-- codes: key-wrong-name
ALTER TABLE step_executions RENAME CONSTRAINT fk_step_executions_execution_id TO fk_state_snapshots_execution_id;
ALTER TABLE state_snapshots RENAME CONSTRAINT fk_state_snapshots_execution_id TO fk_step_executions_execution_id;

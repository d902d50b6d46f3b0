-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions RENAME TO swap;
ALTER TABLE state_snapshots RENAME TO step_executions;
ALTER TABLE swap RENAME TO state_snapshots;
ALTER TABLE step_executions DROP CONSTRAINT fk_state_snapshots_execution_id;

-- verdict: yes
-- codes: index-missing, index-duplicate, index-invalid
DROP INDEX ix_step_executions_execution_id, ix_step_execution_step;
CREATE INDEX again ON state_snapshots (execution_id);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_rollback_started_at'::regclass;

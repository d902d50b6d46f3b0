-- Drop the five foreign keys, the last one first; no row is touched.

SET LOCAL lock_timeout = '500ms';

ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id;
ALTER TABLE approval_requests DROP CONSTRAINT fk_approval_requests_execution_id;
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id;
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id;

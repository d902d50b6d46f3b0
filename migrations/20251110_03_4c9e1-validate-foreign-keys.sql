-- Check the rows that were there before the foreign keys.  In a migration of its own, so that
-- readers and writers go on while the tables are scanned.
-- depends: 20251110_02_50016-add-foreign-keys

SET LOCAL lock_timeout = '500ms';

ALTER TABLE workflow_executions VALIDATE CONSTRAINT fk_workflow_executions_workflow_id;
ALTER TABLE step_executions VALIDATE CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE state_snapshots VALIDATE CONSTRAINT fk_state_snapshots_execution_id;
ALTER TABLE approval_requests VALIDATE CONSTRAINT fk_approval_requests_execution_id;
ALTER TABLE rollback_actions VALIDATE CONSTRAINT fk_rollback_actions_execution_id;

-- For a database at both of Alembic's heads: drop the five keys under PostgreSQL's default names.
-- They do not cascade, and where they are the older ones they refuse every delete of a parent.  Every
-- row stays protected by the five keys that cascade: VALIDATE does nothing where they are valid, and
-- stops this file before it drops anything where one of them is not there.
-- Each statement is a transaction of its own, so that no writer waits for more than one table at a
-- time, and gives up its place in the queue before PostgreSQL would look for deadlocks (1 s).
-- depends:
-- transactional: false
-- lock-timeout: 500ms

ALTER TABLE workflow_executions VALIDATE CONSTRAINT fk_workflow_executions_workflow_id;
ALTER TABLE step_executions VALIDATE CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE state_snapshots VALIDATE CONSTRAINT fk_state_snapshots_execution_id;
ALTER TABLE approval_requests VALIDATE CONSTRAINT fk_approval_requests_execution_id;
ALTER TABLE rollback_actions VALIDATE CONSTRAINT fk_rollback_actions_execution_id;

ALTER TABLE workflow_executions DROP CONSTRAINT workflow_executions_workflow_id_fkey;
ALTER TABLE step_executions DROP CONSTRAINT step_executions_execution_id_fkey;
ALTER TABLE state_snapshots DROP CONSTRAINT state_snapshots_execution_id_fkey;
ALTER TABLE approval_requests DROP CONSTRAINT approval_requests_execution_id_fkey;
ALTER TABLE rollback_actions DROP CONSTRAINT rollback_actions_execution_id_fkey;

-- Leave the five foreign keys NOT VALID again, as the migration before left them.  PostgreSQL has
-- no statement for that, so each is dropped and added again; one transaction, so that no row
-- can slip in unchecked in between.

SET LOCAL lock_timeout = '500ms';

ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id;
ALTER TABLE approval_requests DROP CONSTRAINT fk_approval_requests_execution_id;
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id;
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id;

ALTER TABLE workflow_executions
    ADD CONSTRAINT fk_workflow_executions_workflow_id FOREIGN KEY (workflow_id)
    REFERENCES workflow_definitions (id) ON DELETE CASCADE NOT VALID;

ALTER TABLE step_executions
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

ALTER TABLE state_snapshots
    ADD CONSTRAINT fk_state_snapshots_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

ALTER TABLE approval_requests
    ADD CONSTRAINT fk_approval_requests_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

ALTER TABLE rollback_actions
    ADD CONSTRAINT fk_rollback_actions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

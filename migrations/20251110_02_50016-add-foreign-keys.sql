-- Tie every child row to its parent, so that deleting a definition takes all that it ran with it.
-- NOT VALID: new rows are checked from now on, the old ones by the next migration, so that the
-- lock on each table lasts a moment and not a scan.
-- depends: 20251110_01_6d27a-create-core-tables

-- Shorter than PostgreSQL's deadlock_timeout (1 s): where a writer and this wait for each other, this gives way.
SET LOCAL lock_timeout = '500ms';

-- Parents first, the order in which writers lock them, so that nobody waits in a circle.
LOCK TABLE workflow_definitions, workflow_executions, step_executions, state_snapshots, approval_requests,
    rollback_actions IN SHARE ROW EXCLUSIVE MODE;

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

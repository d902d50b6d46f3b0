-- verdict: yes
-- The key leans on a unique index without a constraint: referential_constraints loses it in joins.
CREATE UNIQUE INDEX ux_executions ON workflow_executions (id);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id;
ALTER TABLE approval_requests DROP CONSTRAINT fk_approval_requests_execution_id;
ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id;
ALTER TABLE workflow_executions DROP CONSTRAINT workflow_executions_pkey;
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE state_snapshots ADD CONSTRAINT fk_state_snapshots_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE approval_requests ADD CONSTRAINT fk_approval_requests_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE rollback_actions ADD CONSTRAINT fk_rollback_actions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

-- verdict: no
-- codes: key-wrong-name, key-wrong-on-delete
-- The five keys as the other of the two Alembic heads makes them.
ALTER TABLE workflow_executions DROP CONSTRAINT fk_workflow_executions_workflow_id,
    ADD FOREIGN KEY (workflow_id) REFERENCES workflow_definitions (id);
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
ALTER TABLE state_snapshots DROP CONSTRAINT fk_state_snapshots_execution_id,
    ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
ALTER TABLE approval_requests DROP CONSTRAINT fk_approval_requests_execution_id,
    ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
ALTER TABLE rollback_actions DROP CONSTRAINT fk_rollback_actions_execution_id,
    ADD FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);

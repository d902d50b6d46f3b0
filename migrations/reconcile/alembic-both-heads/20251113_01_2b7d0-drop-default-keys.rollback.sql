-- Bring back the five keys without CASCADE, under PostgreSQL's default names.

ALTER TABLE workflow_executions
    ADD CONSTRAINT workflow_executions_workflow_id_fkey FOREIGN KEY (workflow_id)
    REFERENCES workflow_definitions (id) NOT VALID;

ALTER TABLE step_executions
    ADD CONSTRAINT step_executions_execution_id_fkey FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) NOT VALID;

ALTER TABLE state_snapshots
    ADD CONSTRAINT state_snapshots_execution_id_fkey FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) NOT VALID;

ALTER TABLE approval_requests
    ADD CONSTRAINT approval_requests_execution_id_fkey FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) NOT VALID;

ALTER TABLE rollback_actions
    ADD CONSTRAINT rollback_actions_execution_id_fkey FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) NOT VALID;

ALTER TABLE workflow_executions VALIDATE CONSTRAINT workflow_executions_workflow_id_fkey;
ALTER TABLE step_executions VALIDATE CONSTRAINT step_executions_execution_id_fkey;
ALTER TABLE state_snapshots VALIDATE CONSTRAINT state_snapshots_execution_id_fkey;
ALTER TABLE approval_requests VALIDATE CONSTRAINT approval_requests_execution_id_fkey;
ALTER TABLE rollback_actions VALIDATE CONSTRAINT rollback_actions_execution_id_fkey;

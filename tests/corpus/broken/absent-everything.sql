-- verdict: no
-- codes: table-missing, key-missing
DROP TABLE rollback_actions, approval_requests, state_snapshots, step_executions, workflow_executions, workflow_definitions;

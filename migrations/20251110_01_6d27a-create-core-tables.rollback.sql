-- Drop the six tables and every row in them, those that others point at last.

SET LOCAL lock_timeout = '500ms';

DROP TABLE rollback_actions;
DROP TABLE approval_requests;
DROP TABLE state_snapshots;
DROP TABLE step_executions;
DROP TABLE workflow_executions;
DROP TABLE workflow_definitions;

-- Rows in each of wflo's six tables, some with children and some without: what migrations are tried on top of.
INSERT INTO workflow_definitions (id, name, steps, policies)
SELECT 'd' || n, 'name ' || n, '[]', '{}' FROM generate_series(1, 20) AS n;
INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id)
SELECT 'e' || n, 'd' || 1 + n % 10, 'RUNNING', 't', 'c' FROM generate_series(1, 40) AS n;
INSERT INTO step_executions (id, execution_id, step_id, status)
SELECT 's' || n, 'e' || 1 + n % 20, 's', 'DONE' FROM generate_series(1, 60) AS n;
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version)
SELECT 's' || n, 'e' || 1 + n % 20, 's', '{}', 1 FROM generate_series(1, 40) AS n;
INSERT INTO approval_requests (id, execution_id, step_id, message, timeout_seconds, expires_at)
SELECT 'a' || n, 'e' || 1 + n % 20, 's', 'm', 60, now() FROM generate_series(1, 40) AS n;
INSERT INTO rollback_actions (id, execution_id, snapshot_id, reason, initiated_by)
SELECT 'r' || n, 'e' || 1 + n % 20, 's' || n, 'r', 'me' FROM generate_series(1, 40) AS n;

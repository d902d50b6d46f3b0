-- verdict: no
-- codes: key-missing
-- The copies in public have no keys; the real ones moved away, and the search_path leads to the copies.
CREATE SCHEMA other;
ALTER TABLE workflow_definitions SET SCHEMA other;
ALTER TABLE workflow_executions SET SCHEMA other;
ALTER TABLE step_executions SET SCHEMA other;
ALTER TABLE state_snapshots SET SCHEMA other;
ALTER TABLE approval_requests SET SCHEMA other;
ALTER TABLE rollback_actions SET SCHEMA other;
CREATE TABLE workflow_definitions (LIKE other.workflow_definitions INCLUDING ALL);
CREATE TABLE workflow_executions (LIKE other.workflow_executions INCLUDING ALL);
CREATE TABLE step_executions (LIKE other.step_executions INCLUDING ALL);
CREATE TABLE state_snapshots (LIKE other.state_snapshots INCLUDING ALL);
CREATE TABLE approval_requests (LIKE other.approval_requests INCLUDING ALL);
CREATE TABLE rollback_actions (LIKE other.rollback_actions INCLUDING ALL);

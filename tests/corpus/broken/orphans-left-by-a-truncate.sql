-- verdict: no
-- codes: orphan-rows
-- only: contract rows
INSERT INTO workflow_definitions (id, name, steps, policies) VALUES ('d', 'd', '{}', '{}');
INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id) VALUES ('e', 'd', 's', 't', 'c');
SET session_replication_role = replica;
DELETE FROM workflow_definitions;
SET session_replication_role = origin;

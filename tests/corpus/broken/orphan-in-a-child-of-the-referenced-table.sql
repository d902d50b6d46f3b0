-- verdict: no
-- codes: orphan-rows
-- only: contract rows
-- The key sees ONLY the parent: what SELECT shows of the child's rows does not count.
CREATE TABLE workflow_executions_old (FOREIGN KEY (workflow_id) REFERENCES workflow_definitions (id) ON DELETE CASCADE)
    INHERITS (workflow_executions);
INSERT INTO workflow_definitions (id, name, steps, policies) VALUES ('d', 'd', '{}', '{}');
INSERT INTO workflow_executions_old (id, workflow_id, status, trace_id, correlation_id) VALUES ('e', 'd', 's', 't', 'c');
SET session_replication_role = replica;
INSERT INTO step_executions (id, execution_id, step_id, status) VALUES ('s', 'e', 'x', 'y');
SET session_replication_role = origin;

-- verdict: yes
-- only: contract rows
INSERT INTO workflow_definitions (id, name, steps, policies) VALUES ('d', 'd', '{}', '{}');
INSERT INTO workflow_executions (id, workflow_id, status, trace_id, correlation_id) VALUES ('e', 'd', 's', 't', 'c');
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version) VALUES ('s1', 'e', 'x', '{}', 1);

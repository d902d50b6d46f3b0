-- verdict: no
-- codes: orphan-rows
-- only: contract rows
SET session_replication_role = replica;
INSERT INTO state_snapshots (id, execution_id, step_id, variables, version) VALUES ('s1', 'nowhere', 'x', '{}', 1);
SET session_replication_role = origin;

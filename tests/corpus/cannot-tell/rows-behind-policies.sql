-- verdict: cannot tell
-- codes: rows-unreadable
-- role: corpus_reader
-- only: contract rows
-- The orphan is hidden from this role; a count of what it sees would be a false yes.
CREATE ROLE corpus_reader LOGIN;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO corpus_reader;
ALTER TABLE step_executions ENABLE ROW LEVEL SECURITY;
SET session_replication_role = replica;
INSERT INTO step_executions (id, execution_id, step_id, status) VALUES ('s', 'nowhere', 'x', 'y');
SET session_replication_role = origin;

-- verdict: no
-- codes: replication-role
CREATE ROLE corpus_writer LOGIN;
ALTER ROLE corpus_writer SET session_replication_role = replica;
CREATE VIEW steps AS SELECT id, execution_id, step_id, status FROM step_executions;
CREATE VIEW steps_again AS SELECT * FROM steps;
GRANT SELECT, INSERT ON steps_again TO corpus_writer;

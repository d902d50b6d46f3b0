-- verdict: no
-- codes: replication-role
CREATE ROLE corpus_writer LOGIN;
GRANT INSERT ON step_executions TO corpus_writer;
ALTER ROLE corpus_writer SET session_replication_role = 'replica';

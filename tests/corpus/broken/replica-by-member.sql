-- verdict: no
-- codes: replication-role
-- The role itself may not write, and can SET ROLE to one that may.
CREATE ROLE corpus_group;
GRANT INSERT ON step_executions TO corpus_group;
CREATE ROLE corpus_writer LOGIN NOINHERIT IN ROLE corpus_group;
ALTER ROLE corpus_writer SET session_replication_role = replica;

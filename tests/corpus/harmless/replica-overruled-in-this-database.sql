-- verdict: yes
CREATE ROLE corpus_writer LOGIN;
GRANT INSERT ON step_executions TO corpus_writer;
ALTER ROLE corpus_writer SET session_replication_role = replica;
DO $$ BEGIN
    EXECUTE format('ALTER ROLE corpus_writer IN DATABASE %I SET session_replication_role = origin', current_database());
END $$;

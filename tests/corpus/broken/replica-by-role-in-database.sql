-- verdict: no
-- codes: replication-role
CREATE ROLE corpus_writer LOGIN SUPERUSER;
DO $$ BEGIN
    EXECUTE format('ALTER ROLE corpus_writer IN DATABASE %I SET session_replication_role = replica', current_database());
END $$;

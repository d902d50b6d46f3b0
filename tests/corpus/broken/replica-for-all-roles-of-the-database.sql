-- verdict: no
-- codes: replication-role
-- role: corpus_nobody
CREATE ROLE corpus_nobody LOGIN;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = REPLICA', current_database()); END $$;

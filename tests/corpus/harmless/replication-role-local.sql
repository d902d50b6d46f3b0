-- verdict: yes
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = local', current_database()); END $$;

-- verdict: yes
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = %L', current_database(), ''); END $$;

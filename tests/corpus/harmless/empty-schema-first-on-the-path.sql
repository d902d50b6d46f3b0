-- verdict: yes
CREATE SCHEMA mine;
CREATE VIEW mine.other AS SELECT 1 AS one;
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = "$user", mine, public', current_database()); END $$;

-- verdict: yes
CREATE SCHEMA "Odd, schema";
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = "Odd, schema", "public"', current_database()); END $$;

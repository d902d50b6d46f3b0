-- verdict: no
-- codes: key-missing
CREATE SCHEMA shadow;
CREATE TABLE shadow.step_executions (LIKE public.step_executions INCLUDING ALL);
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = shadow, public', current_database()); END $$;

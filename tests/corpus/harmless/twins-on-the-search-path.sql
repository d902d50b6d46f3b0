-- verdict: yes
-- codes: table-ambiguous
CREATE SCHEMA old;
CREATE TABLE old.workflow_executions (id varchar(36));
DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = public, old', current_database()); END $$;

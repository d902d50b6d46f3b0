-- verdict: cannot tell
-- codes: replication-role-unclear
CREATE FUNCTION load(x text) RETURNS void LANGUAGE plpgsql SET session_replication_role = replica
AS $$ BEGIN EXECUTE 'INSERT INTO ' || x || ' DEFAULT VALUES'; END $$;

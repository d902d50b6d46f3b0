-- verdict: no
-- from: 17
-- codes: replication-role
CREATE FUNCTION enter() RETURNS event_trigger LANGUAGE plpgsql
AS $$ BEGIN PERFORM set_config('session_replication_role', 'replica', false); END $$;
CREATE EVENT TRIGGER enter ON login EXECUTE FUNCTION enter();

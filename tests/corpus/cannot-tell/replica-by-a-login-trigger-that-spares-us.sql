-- verdict: cannot tell
-- from: 17
-- codes: replication-role-unclear
CREATE FUNCTION enter() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    IF session_user <> 'postgres' THEN PERFORM set_config('session_replication_role', 'replica', false); END IF;
END $$;
CREATE EVENT TRIGGER enter ON login EXECUTE FUNCTION enter();
ALTER EVENT TRIGGER enter ENABLE ALWAYS;

-- verdict: cannot tell
-- codes: replication-role-unclear
CREATE FUNCTION off() RETURNS void LANGUAGE sql SECURITY DEFINER
AS $$ SELECT set_config('session_replication_role', 'replica', false) $$;

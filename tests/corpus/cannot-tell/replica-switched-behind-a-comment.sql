-- verdict: cannot tell
-- codes: replication-role-unclear
CREATE FUNCTION off() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM '-- SET session_replication_role = origin'; SET /* = origin */ session_replication_role = replica;
END
$$;

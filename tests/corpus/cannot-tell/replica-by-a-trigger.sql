-- verdict: cannot tell
-- codes: replication-role-unclear
-- What it does to its own row is right, but from then on the transaction enforces no key.
CREATE FUNCTION quiet() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    RETURN OLD;
END $$;
CREATE TRIGGER quiet BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION quiet();

-- verdict: cannot tell
-- codes: key-maybe-stopped
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RETURN kept(OLD); END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

-- verdict: cannot tell
-- codes: key-maybe-stopped
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept step_executions;
BEGIN
    SELECT * INTO kept FROM step_executions WHERE id = OLD.id AND status = 'DONE';
    RETURN kept;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

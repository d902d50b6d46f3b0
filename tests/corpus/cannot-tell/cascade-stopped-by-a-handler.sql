-- verdict: cannot tell
-- codes: key-maybe-stopped
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO audit VALUES (OLD.id);
    EXCEPTION WHEN undefined_table THEN
        RETURN NULL;
    END;
    RETURN OLD;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

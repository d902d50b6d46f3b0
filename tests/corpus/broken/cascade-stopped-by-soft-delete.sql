-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION soft_delete() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'archived' THEN
        RETURN NULL; -- keep it
    END IF;
    RETURN OLD;
END $$;
CREATE TRIGGER soft_delete BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION soft_delete();

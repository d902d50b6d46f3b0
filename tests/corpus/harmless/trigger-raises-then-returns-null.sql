-- verdict: yes
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status = 'RUNNING' THEN
        RAISE EXCEPTION 'it runs';
        RETURN NULL;
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

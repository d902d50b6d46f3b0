-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF OLD.status = 'RUNNING' THEN
            RETURN NULL;
        END IF;
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

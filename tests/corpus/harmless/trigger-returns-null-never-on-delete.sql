-- verdict: yes
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (TG_OP = 'DELETE') THEN
        RETURN OLD;
    ELSIF (TG_OP IN ('INSERT', 'UPDATE')) THEN
        RETURN NEW;
    END IF;
    RETURN NULL; -- cannot be reached
END
$$;
CREATE TRIGGER note BEFORE INSERT OR UPDATE OR DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

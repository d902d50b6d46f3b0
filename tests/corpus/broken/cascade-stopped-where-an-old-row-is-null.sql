-- verdict: no
-- from: 18
-- codes: key-stopped-by-trigger
-- New rows are NOT NULL there; those from before, which NOT VALID leaves alone, need not be.
ALTER TABLE step_executions ADD region text;
ALTER TABLE step_executions ADD CONSTRAINT region_given NOT NULL region NOT VALID;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.region IS NULL THEN
        RETURN NULL;
    END IF;
    RETURN OLD;
END
$$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept step_executions;
BEGIN
    RETURN kept;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

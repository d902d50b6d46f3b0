-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    kept record;
BEGIN
    IF TG_OP = 'UPDATE' THEN kept := OLD; END IF;
    RETURN kept;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

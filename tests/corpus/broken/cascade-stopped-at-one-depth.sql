-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF pg_trigger_depth() = 2 THEN RETURN NULL; END IF; RETURN OLD; END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

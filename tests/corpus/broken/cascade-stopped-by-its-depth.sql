-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RETURN NULL; END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW WHEN (pg_trigger_depth() > 0) EXECUTE FUNCTION note();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'append only'; END
$$;
CREATE TRIGGER note BEFORE UPDATE OR DELETE ON step_executions FOR EACH STATEMENT EXECUTE FUNCTION note();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'append only'; END
$$;
CREATE TRIGGER note AFTER DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN /* new */ RAISE EXCEPTION 'it is too old'; END
$$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH STATEMENT EXECUTE FUNCTION keep();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RETURN CASE WHEN OLD.error_message IS NULL THEN NULL ELSE OLD END;
END $$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

-- verdict: yes
-- Only a DELETE that somebody types is turned into an update, not the key's.
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE step_executions SET status = 'DELETED' WHERE id = OLD.id;
    RETURN NULL;
END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW WHEN (pg_trigger_depth() = 0) EXECUTE FUNCTION note();

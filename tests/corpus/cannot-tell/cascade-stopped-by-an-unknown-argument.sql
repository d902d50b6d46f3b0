-- verdict: cannot tell
-- codes: key-maybe-stopped
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF lower(TG_OP) = 'delete' THEN RETURN OLD; END IF; RETURN NEW; END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

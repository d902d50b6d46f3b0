-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN IF OLD.status <> 'x' THEN RETURN NULL; END IF; RETURN OLD; END
$$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

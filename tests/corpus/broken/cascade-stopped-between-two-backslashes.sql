-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE a text; b text;
BEGIN a := 'C:\'; IF OLD.id > '0' THEN RETURN NULL; END IF; b := 'D:\'; RETURN OLD; END
$$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

-- verdict: no
-- codes: key-stopped-by-trigger
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN /* outer /* inner */ RETURN OLD; */ RETURN NULL; END
$$;
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

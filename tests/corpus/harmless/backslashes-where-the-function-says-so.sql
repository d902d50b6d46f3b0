-- verdict: yes
DO $$ BEGIN
    EXECUTE format('ALTER DATABASE %I SET standard_conforming_strings = off', current_database());
END $$;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SET standard_conforming_strings = on AS $$
BEGIN RAISE DEBUG 'C:\'; RETURN OLD; END
$$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();

-- verdict: yes
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN RETURN OLD; END IF;
    PERFORM set_config('session_replication_role', 'origin', true);
    RETURN OLD;
END $$;
CREATE TRIGGER note BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION note();
CREATE FUNCTION aside() RETURNS trigger LANGUAGE plpgsql SET session_replication_role = replica
AS $$ BEGIN RETURN OLD; END $$;
CREATE TRIGGER aside BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION aside();
CREATE TABLE elsewhere (id text);
CREATE FUNCTION unused() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN SET session_replication_role = replica; RETURN OLD; END $$;
CREATE TRIGGER unused BEFORE DELETE ON elsewhere FOR EACH ROW EXECUTE FUNCTION unused();
ALTER TABLE elsewhere DISABLE TRIGGER unused;

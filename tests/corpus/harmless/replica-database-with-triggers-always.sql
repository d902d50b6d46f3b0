-- verdict: yes
-- ENABLE ALWAYS fires in replica sessions as well.
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT tgrelid::regclass AS place, tgname FROM pg_trigger WHERE tgisinternal LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.place, t.tgname);
    END LOOP;
    EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database());
END $$;

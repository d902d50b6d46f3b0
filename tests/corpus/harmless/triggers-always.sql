-- verdict: yes
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT tgrelid::regclass AS place, tgname FROM pg_trigger WHERE tgisinternal LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', t.place, t.tgname);
    END LOOP;
END $$;

-- verdict: no
-- codes: key-trigger-disabled
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'workflow_definitions'::regclass AND tgisinternal LOOP
        EXECUTE format('ALTER TABLE workflow_definitions ENABLE REPLICA TRIGGER %I', t.tgname);
    END LOOP;
END $$;

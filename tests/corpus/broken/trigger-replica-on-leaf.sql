-- verdict: no
-- codes: key-trigger-disabled
DO $$ DECLARE t record; BEGIN
    FOR t IN SELECT tgname FROM pg_trigger WHERE tgrelid = 'approval_requests'::regclass AND tgisinternal LOOP
        EXECUTE format('ALTER TABLE approval_requests ENABLE REPLICA TRIGGER %I', t.tgname);
    END LOOP;
END $$;

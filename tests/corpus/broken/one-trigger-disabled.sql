-- verdict: no
-- codes: key-trigger-disabled
DO $$ DECLARE t name; BEGIN
    SELECT tgname INTO t FROM pg_trigger
    WHERE tgrelid = 'rollback_actions'::regclass AND tgfoid = '"RI_FKey_check_upd"'::regproc;
    EXECUTE format('ALTER TABLE rollback_actions DISABLE TRIGGER %I', t);
END $$;

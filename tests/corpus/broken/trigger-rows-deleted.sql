-- verdict: no
-- codes: key-trigger-missing
DELETE FROM pg_trigger WHERE tgrelid = 'step_executions'::regclass AND tgisinternal;

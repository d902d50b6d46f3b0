-- verdict: no
-- codes: key-trigger-missing
DELETE FROM pg_trigger WHERE tgconstrrelid = 'step_executions'::regclass AND tgfoid = '"RI_FKey_cascade_del"'::regproc;

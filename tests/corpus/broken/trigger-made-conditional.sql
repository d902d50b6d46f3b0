-- verdict: no
-- codes: key-trigger-missing
-- The update trigger now watches another column.
UPDATE pg_trigger SET tgattr = '1' WHERE tgrelid = 'step_executions'::regclass AND tgfoid = '"RI_FKey_check_upd"'::regproc;

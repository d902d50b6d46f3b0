-- verdict: no
-- codes: key-trigger-disabled
UPDATE pg_class SET relhastriggers = false WHERE oid = 'step_executions'::regclass;

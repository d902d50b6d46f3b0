-- verdict: no
-- codes: key-trigger-missing
UPDATE pg_trigger SET tgconstrrelid = 'workflow_definitions'::regclass
FROM pg_constraint AS c
WHERE c.oid = tgconstraint AND c.conname = 'fk_step_executions_execution_id' AND tgrelid = c.confrelid;

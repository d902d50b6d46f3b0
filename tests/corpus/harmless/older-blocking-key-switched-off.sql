-- verdict: yes
-- The older key's trigger on the referenced table is disabled, so it defeats nothing.
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id;
ALTER TABLE step_executions ADD CONSTRAINT older FOREIGN KEY (execution_id) REFERENCES workflow_executions (id);
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
DO $$ DECLARE t name; BEGIN
    SELECT tgname INTO t FROM pg_trigger JOIN pg_constraint AS c ON c.oid = tgconstraint
    WHERE c.conname = 'older' AND tgfoid = '"RI_FKey_noaction_del"'::regproc;
    EXECUTE format('ALTER TABLE workflow_executions DISABLE TRIGGER %I', t);
END $$;

-- verdict: no
-- codes: key-missing
-- DROP CONSTRAINT … CASCADE on the primary key takes four foreign keys along; the key itself came back.
ALTER TABLE workflow_executions DROP CONSTRAINT workflow_executions_pkey CASCADE;
ALTER TABLE workflow_executions ADD CONSTRAINT workflow_executions_pkey PRIMARY KEY (id);

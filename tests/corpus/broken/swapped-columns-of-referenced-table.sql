-- verdict: no
-- codes: key-wrong-target
ALTER TABLE workflow_executions ADD CONSTRAINT uq_correlation UNIQUE (correlation_id);
ALTER TABLE workflow_executions RENAME COLUMN id TO swap;
ALTER TABLE workflow_executions RENAME COLUMN correlation_id TO id;
ALTER TABLE workflow_executions RENAME COLUMN swap TO correlation_id;

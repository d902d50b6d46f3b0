-- verdict: no
-- codes: column-missing
ALTER TABLE workflow_executions RENAME COLUMN id TO execution_id;

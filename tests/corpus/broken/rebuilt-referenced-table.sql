-- verdict: no
-- codes: key-wrong-target
ALTER TABLE workflow_executions RENAME TO workflow_executions_old;
CREATE TABLE workflow_executions (LIKE workflow_executions_old INCLUDING ALL);

-- verdict: yes
ALTER TABLE workflow_executions RENAME TO swap;
ALTER TABLE swap RENAME TO workflow_executions;
ALTER TABLE step_executions RENAME COLUMN execution_id TO swap;
ALTER TABLE step_executions RENAME COLUMN swap TO execution_id;

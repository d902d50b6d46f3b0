-- verdict: yes
ALTER TABLE step_executions ADD COLUMN note text;
CREATE INDEX ix_note ON step_executions (note);
DROP INDEX ix_workflow_name;

-- verdict: no
-- codes: key-missing
CREATE TABLE all_steps (LIKE step_executions) PARTITION BY LIST (status);
ALTER TABLE all_steps ADD CONSTRAINT parent_key FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE all_steps ATTACH PARTITION step_executions DEFAULT;
ALTER TABLE all_steps DROP CONSTRAINT parent_key;

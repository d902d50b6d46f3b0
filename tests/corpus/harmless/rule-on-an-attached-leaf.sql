-- verdict: yes
-- The cascade's DELETE goes to the parent, where rules of partitions do not apply.
CREATE TABLE all_steps (LIKE step_executions) PARTITION BY LIST (status);
ALTER TABLE all_steps ADD CONSTRAINT parent_key FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE all_steps ATTACH PARTITION step_executions DEFAULT;
CREATE RULE keep AS ON DELETE TO step_executions DO INSTEAD NOTHING;

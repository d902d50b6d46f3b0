-- verdict: no
-- codes: key-stopped-by-rule
-- The cascade's own DELETE goes to the parent that the leaf was attached to.
CREATE TABLE all_steps (LIKE step_executions) PARTITION BY LIST (status);
ALTER TABLE all_steps ADD CONSTRAINT parent_key FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
ALTER TABLE all_steps ATTACH PARTITION step_executions DEFAULT;
CREATE RULE keep AS ON DELETE TO all_steps DO INSTEAD NOTHING;

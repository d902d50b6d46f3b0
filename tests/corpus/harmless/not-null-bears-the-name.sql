-- verdict: yes
-- from: 18
-- A NOT NULL constraint bears the key's name: contype n, found by whoever looks for the name alone.
ALTER TABLE state_snapshots RENAME CONSTRAINT state_snapshots_version_not_null TO fk_step_executions_execution_id;

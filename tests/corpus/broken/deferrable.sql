-- verdict: no
-- codes: key-wrong-deferrability
ALTER TABLE state_snapshots ALTER CONSTRAINT fk_state_snapshots_execution_id DEFERRABLE;

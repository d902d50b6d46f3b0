-- verdict: no
-- codes: key-missing
ALTER TABLE step_executions RENAME TO step_executions_plain;
CREATE TABLE step_executions (LIKE step_executions_plain) PARTITION BY HASH (execution_id);
CREATE TABLE step_executions_0 PARTITION OF step_executions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
ALTER TABLE step_executions_0 ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;

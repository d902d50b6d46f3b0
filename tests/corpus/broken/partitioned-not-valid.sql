-- verdict: no
-- codes: key-not-valid
-- from: 18
ALTER TABLE step_executions RENAME TO step_executions_plain;
ALTER TABLE step_executions_plain DROP CONSTRAINT fk_step_executions_execution_id;
CREATE TABLE step_executions (LIKE step_executions_plain) PARTITION BY HASH (execution_id);
CREATE TABLE step_executions_0 PARTITION OF step_executions FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE step_executions_1 PARTITION OF step_executions FOR VALUES WITH (MODULUS 2, REMAINDER 1);
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;
ALTER TABLE step_executions_0 VALIDATE CONSTRAINT fk_step_executions_execution_id;

-- verdict: no
-- codes: key-stopped-by-trigger
ALTER TABLE step_executions RENAME TO step_executions_plain;
ALTER TABLE step_executions_plain DROP CONSTRAINT fk_step_executions_execution_id;
CREATE TABLE step_executions (LIKE step_executions_plain INCLUDING DEFAULTS) PARTITION BY HASH (execution_id);
CREATE TABLE step_executions_0 PARTITION OF step_executions FOR VALUES WITH (MODULUS 1, REMAINDER 0);
ALTER TABLE step_executions ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE;
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL::step_executions; END';
CREATE TRIGGER keep BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION keep();

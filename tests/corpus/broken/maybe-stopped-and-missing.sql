-- verdict: no
-- codes: key-maybe-stopped, key-not-valid
CREATE FUNCTION any_op() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF lower(TG_OP) = 'delete' THEN RETURN OLD; END IF; RETURN NEW; END $$;
CREATE TRIGGER any_op BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION any_op();
ALTER TABLE step_executions DROP CONSTRAINT fk_step_executions_execution_id,
    ADD CONSTRAINT fk_step_executions_execution_id FOREIGN KEY (execution_id)
    REFERENCES workflow_executions (id) ON DELETE CASCADE NOT VALID;

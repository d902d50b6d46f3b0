-- verdict: no
-- codes: key-stopped-by-trigger
-- NEW is NULL in a DELETE trigger, so this common slip keeps every row.
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE NOTICE ''deleted''; RETURN NEW; END';
CREATE TRIGGER audit BEFORE DELETE ON step_executions FOR EACH ROW EXECUTE FUNCTION audit();

-- verdict: no
-- codes: key-wrong-operator
UPDATE pg_constraint SET conpfeqop = ARRAY['pg_catalog.<>(text,text)'::regoperator::oid]
WHERE conname = 'fk_step_executions_execution_id';

-- verdict: no
-- codes: table-wrong-kind
-- A view with a rule over it could still enforce the key, but it need not, and holds none itself.
ALTER TABLE step_executions RENAME TO step_executions_base;
CREATE VIEW step_executions AS SELECT * FROM step_executions_base;

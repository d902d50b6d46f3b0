-- verdict: no
-- codes: key-stopped-by-rule
CREATE RULE keep AS ON DELETE TO step_executions DO INSTEAD NOTHING;

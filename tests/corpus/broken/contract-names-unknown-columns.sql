-- verdict: no
-- codes: column-missing
-- contract: [[foreign_key]]
-- contract: from = "step_executions(execution)"
-- contract: to = "workflow_executions(ident)"
SELECT 1;

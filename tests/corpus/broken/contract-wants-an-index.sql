-- verdict: no
-- codes: required-index-missing
-- contract: [[index]]
-- contract: on = "step_executions(step_id, execution_id)"
SELECT 1;

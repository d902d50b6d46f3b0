-- verdict: no
-- codes: column-wrong
-- contract: [columns.step_executions]
-- contract: execution_id = "uuid not null"
-- contract: retry_count = "integer not null default 3"
SELECT 1;

-- verdict: no
-- codes: schema-missing
-- contract: [contract]
-- contract: schema = "elsewhere"
-- contract: tables = ["step_executions"]
SELECT 1;

-- verdict: no
-- codes: citus-missing
-- contract: [contract]
-- contract: distributed_schema = true
-- contract: [tables.workflow_definitions]
-- contract: reference = true
-- contract: [tables.workflow_executions]
-- contract: distributed_by = "id"
SELECT 1;

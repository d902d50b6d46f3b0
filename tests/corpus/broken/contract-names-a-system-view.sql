-- verdict: no
-- codes: table-wrong-kind
-- contract: [contract]
-- contract: tables = ["pg_catalog.pg_stats"]
SELECT 1;

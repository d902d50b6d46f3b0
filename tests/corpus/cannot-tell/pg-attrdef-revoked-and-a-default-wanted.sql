-- verdict: cannot tell
-- codes: cannot-see
-- role: case_reader
-- contract: [contract]
-- contract: tables = ["workflow_definitions"]
-- contract: [columns.workflow_definitions]
-- contract: version = "integer default 1"
CREATE ROLE case_reader LOGIN;
REVOKE SELECT ON pg_catalog.pg_attrdef FROM PUBLIC;

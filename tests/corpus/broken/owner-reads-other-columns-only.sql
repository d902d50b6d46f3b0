-- verdict: no
-- codes: key-owner-lacks-privilege
CREATE ROLE case_owner;
GRANT CREATE ON SCHEMA public TO case_owner;
ALTER TABLE step_executions OWNER TO case_owner;
REVOKE SELECT ON step_executions FROM case_owner;
GRANT SELECT (id, status) ON step_executions TO case_owner;

-- verdict: yes
CREATE ROLE case_owner;
GRANT CREATE ON SCHEMA public TO case_owner;
ALTER TABLE step_executions OWNER TO case_owner;
REVOKE SELECT, UPDATE ON step_executions FROM case_owner;
GRANT SELECT (execution_id), UPDATE (status) ON step_executions TO case_owner;

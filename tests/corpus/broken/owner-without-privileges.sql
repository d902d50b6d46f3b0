-- verdict: no
-- codes: key-owner-lacks-privilege
CREATE ROLE corpus_owner;
GRANT USAGE ON SCHEMA public TO corpus_owner;
ALTER TABLE step_executions OWNER TO corpus_owner;
REVOKE DELETE ON step_executions FROM corpus_owner;

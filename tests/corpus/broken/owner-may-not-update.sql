-- verdict: no
-- codes: key-owner-lacks-privilege
-- What checks that no row is left behind when a referenced value changes locks rows, which takes UPDATE.
CREATE ROLE corpus_owner;
ALTER TABLE step_executions OWNER TO corpus_owner;
REVOKE UPDATE ON step_executions FROM corpus_owner;

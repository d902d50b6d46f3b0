-- verdict: yes
-- from: 15
-- Its view reads only, one view asks for the caller's own rights, and what it may call writes elsewhere or nothing.
CREATE ROLE corpus_stranger LOGIN;
ALTER ROLE corpus_stranger SET session_replication_role = replica;
CREATE VIEW steps AS SELECT id, execution_id FROM step_executions;
GRANT SELECT ON steps TO corpus_stranger;
CREATE VIEW own_steps WITH (security_invoker = true) AS SELECT id, execution_id FROM step_executions;
GRANT ALL ON own_steps TO corpus_stranger;
CREATE TABLE elsewhere (id text);
CREATE FUNCTION count_steps() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$
    /* not INSERT INTO step_executions */ SELECT count(*) FROM step_executions
$$;
CREATE FUNCTION note() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF current_setting('session_replication_role') = 'replica' THEN INSERT INTO elsewhere VALUES ('x'); END IF;
END $$;
CREATE FUNCTION load() RETURNS void LANGUAGE sql SET session_replication_role = replica AS 'INSERT INTO elsewhere VALUES (1)';

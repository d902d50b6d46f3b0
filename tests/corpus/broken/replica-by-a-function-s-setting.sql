-- verdict: no
-- codes: replication-role
CREATE FUNCTION load(x text) RETURNS void LANGUAGE sql SECURITY DEFINER SET session_replication_role = replica AS $$
    INSERT INTO step_executions (id, execution_id, step_id, status) VALUES (x, x, 'x', 'x')
$$;

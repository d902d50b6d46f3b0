-- verdict: yes
-- It writes nothing: what would is said in comments, texts and names only.
CREATE FUNCTION report() RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
    PERFORM 'INSERT INTO step_executions VALUES (1)', $q$ DELETE FROM step_executions $q$;
    PERFORM 1 AS "UPDATE step_executions"; /* /* */ EXECUTE 'x'; UPDATE step_executions SET id = 1; */
END
$$;
CREATE FUNCTION back() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    -- session_replication_role = replica is what it must not be
    PERFORM set_config('session_replication_role', /* as ever */ 'origin', true);
    EXECUTE 'SET LOCAL session_replication_role TO DEFAULT';
END
$$;

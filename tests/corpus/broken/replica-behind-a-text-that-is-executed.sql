-- verdict: no
-- codes: replication-role
CREATE FUNCTION load(x text) RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $f$
BEGIN
    EXECUTE 'INSERT INTO step_executions (id, execution_id, step_id, status) VALUES ($1, $1, ''x'', ''x'')' USING x;
END
$f$;

-- verdict: no
-- codes: replication-role
CREATE FUNCTION load(x text) RETURNS void LANGUAGE plpgsql SET session_replication_role = replica AS $f$
BEGIN
    PERFORM 1 AS "-- note"; INSERT INTO step_executions (id, execution_id, step_id, status) VALUES (x, x, 'x', 'x');
END
$f$;

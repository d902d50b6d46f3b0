-- one row: a session that a session of ours waits for
WITH ours AS (
    SELECT a.pid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.wait_event_type = 'Lock' -- asking who blocks it takes the lock manager's own locks
    ORDER BY a.pid
    LIMIT 1
), blocking AS (
    SELECT ours.pid AS ours, b.pid
    FROM ours
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(ours.pid)) AS b (pid)
)
SELECT
    b.pid AS pid,
    COALESCE(a.usename, '') AS username,
    COALESCE(a.application_name, '') AS application_name,
    COALESCE(a.state, CASE WHEN p.pid IS NOT NULL THEN 'prepared' ELSE '' END) AS state,
    COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::double precision AS since_s,
    COALESCE(pg_catalog.left(a.query, 500), '') AS query,
    COALESCE((
        SELECT w.relation::pg_catalog.regclass::text
        FROM pg_catalog.pg_locks AS w
        WHERE w.pid = b.ours AND NOT w.granted AND w.relation IS NOT NULL
        LIMIT 1
    ), '') AS relation
FROM blocking AS b
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
LEFT JOIN (SELECT 0 AS pid WHERE EXISTS (SELECT FROM pg_catalog.pg_prepared_xacts)) AS p ON p.pid = b.pid
ORDER BY b.pid

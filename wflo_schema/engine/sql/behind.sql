-- one row: for how long a session of ours has waited for its lock, and at most another one behind it, in milliseconds
WITH ours AS (
    SELECT l.pid, l.waitstart
    FROM pg_catalog.pg_stat_activity AS a
    JOIN pg_catalog.pg_locks AS l ON l.pid = a.pid AND NOT l.granted
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.pid <> pg_catalog.pg_backend_pid()
    ORDER BY a.pid
    LIMIT 1
)
SELECT
    COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - ours.waitstart) * 1000, 0)::integer AS own_ms,
    COALESCE((
        SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - MIN(l.waitstart)) * 1000
        FROM pg_catalog.pg_locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        WHERE NOT l.granted
            AND l.pid <> ours.pid
            AND COALESCE(a.backend_type, '') <> 'autovacuum worker' -- makes no one wait
            AND COALESCE(a.application_name, '') NOT LIKE 'wflo-schema %' -- a colleague waits for the whole of our work
            AND ours.pid = ANY (pg_catalog.pg_blocking_pids(l.pid))
    ), 0)::integer AS behind_ms
FROM ours

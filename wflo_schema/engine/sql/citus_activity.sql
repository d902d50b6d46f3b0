-- one row: what a session of ours waits for, as activity.sql has it; and where it waits on a worker, a session there,
-- whose pid is the one that pg_terminate_backend() takes on any node
WITH here AS MATERIALIZED (
{here}), ours AS (
    SELECT pg_catalog.citus_calculate_gpid(pg_catalog.citus_nodeid_for_gpid(pg_catalog.citus_backend_gpid()), a.pid) AS gpid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.state = 'active'
        AND NOT EXISTS (SELECT 1 FROM here)
    ORDER BY a.pid
    LIMIT 1
), there AS MATERIALIZED (
    SELECT DISTINCT w.blocking_gpid AS gpid, w.current_statement_in_blocking_process AS query
    FROM ours
    JOIN pg_catalog.citus_lock_waits AS w ON w.waiting_gpid = ours.gpid
)
SELECT here.pid::bigint, here.username, here.application_name, here.state, here.since_s, here.query, here.relation,
    here.gid, here.is_colleague
FROM here
UNION ALL
SELECT
    there.gpid AS pid,
    COALESCE(a.usename, '') AS username,
    COALESCE(a.application_name, '') AS application_name,
    COALESCE(a.state, '') AS state,
    COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::double precision AS since_s,
    COALESCE(pg_catalog.left(there.query, 500), '') AS query,
    '' AS relation,
    '' AS gid,
    COALESCE(a.application_name, '') LIKE 'wflo-schema%' AS is_colleague
FROM there
LEFT JOIN pg_catalog.citus_stat_activity AS a ON a.global_pid = there.gpid AND NOT a.is_worker_query

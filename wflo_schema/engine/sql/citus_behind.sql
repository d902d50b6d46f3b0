-- one row: who waits behind a session of ours, as behind.sql has it; where nobody does here, who does on a worker: of
-- readers, of writers, and for rows
WITH here AS MATERIALIZED (
{here}), ours AS (
    SELECT
        a.pid,
        pg_catalog.citus_calculate_gpid(pg_catalog.citus_nodeid_for_gpid(pg_catalog.citus_backend_gpid()), a.pid) AS gpid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.backend_type = 'client backend'
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND EXISTS (SELECT 1 FROM here WHERE here.pid IS NULL)
    ORDER BY a.pid
    LIMIT 1
), waiting AS MATERIALIZED (
    SELECT DISTINCT w.waiting_gpid AS gpid, w.blocked_statement AS query
    FROM ours
    JOIN pg_catalog.citus_lock_waits AS w ON w.blocking_gpid = ours.gpid
), there AS MATERIALIZED (
    SELECT
        waiting.gpid,
        waiting.query,
        a.usename AS username,
        a.application_name,
        l.relation_name,
        l.locktype,
        l.mode,
        pg_catalog.count(*) OVER () - 1 AS others,
        EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - l.waitstart) * 1000 AS held_ms
    FROM waiting
    JOIN pg_catalog.citus_locks AS l ON l.global_pid = waiting.gpid AND NOT l.granted
    LEFT JOIN pg_catalog.citus_stat_activity AS a ON a.global_pid = waiting.gpid AND NOT a.is_worker_query
    WHERE COALESCE(a.application_name, '') NOT LIKE 'wflo-schema %'
        AND (l.locktype <> 'relation' OR l.mode IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock'))
        AND l.locktype <> 'virtualxid'
    ORDER BY l.waitstart
    LIMIT 1
)
SELECT
    here.own_ms,
    here.queued_ms,
    COALESCE(there.held_ms, here.held_ms)::integer AS held_ms,
    CASE
        WHEN there.held_ms >= $3::double precision AND $4::boolean THEN pg_catalog.pg_terminate_backend(ours.pid)
        WHEN there.held_ms >= $3::double precision THEN pg_catalog.pg_cancel_backend(ours.pid)
        ELSE here.is_canceled
    END AS is_canceled,
    here.ran_ms,
    COALESCE(there.gpid, here.pid::bigint) AS pid,
    COALESCE(there.username::text, here.username) AS username,
    COALESCE(there.application_name, here.application_name) AS application_name,
    COALESCE(pg_catalog.left(there.query, 500), here.query) AS query,
    CASE WHEN there.gpid IS NULL THEN here.object
        WHEN there.locktype = 'relation' THEN COALESCE(there.relation_name, 'a table') ELSE 'a row' END AS object,
    CASE WHEN there.gpid IS NULL THEN here.mode
        WHEN there.locktype = 'relation' THEN pg_catalog.upper(pg_catalog.regexp_replace(
            pg_catalog.regexp_replace(there.mode, 'Lock$', ''), '(?<=[a-z])([A-Z])', ' \1', 'g'
        )) END AS mode,
    COALESCE(there.others, here.others) AS others,
    here.by_pid,
    here.is_by_let_be,
    here.known
FROM here
LEFT JOIN ours ON TRUE
LEFT JOIN there ON TRUE

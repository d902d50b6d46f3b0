-- one row: a session of ours, for how long it waits itself, and who has waited longest behind it: for what it only waits
-- for (queued), and for what it holds (held); where that is $3 milliseconds or more, its statement is canceled, or
-- ($4) its session is ended
WITH ours AS (
    SELECT a.pid, a.query_start, a.xact_start
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.backend_type = 'client backend'
        AND a.pid <> pg_catalog.pg_backend_pid()
    ORDER BY a.pid
    LIMIT 1
), locks AS MATERIALIZED (
    SELECT
        l.pid, l.locktype, l.database, l.relation, l.mode, l.granted, l.waitstart,
        pg_catalog.concat_ws( -- which of them are NULL, its type says
            ':', l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
            l.objsubid
        ) AS object
    FROM pg_catalog.pg_locks AS l
    WHERE NOT l.granted OR l.locktype = 'tuple' OR l.pid = (SELECT o.pid FROM ours AS o)
), mine AS (
    SELECT
        l.object,
        pg_catalog.bool_or(l.granted) AS is_held,
        pg_catalog.bool_or(l.granted AND l.mode IN (
            'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
        )) AS stops_writers,
        pg_catalog.bool_or(NOT l.granted) AS is_wanted
    FROM locks AS l
    JOIN ours ON l.pid = ours.pid
    WHERE l.locktype <> 'virtualxid' -- CREATE INDEX CONCURRENTLY waits for every transaction, and keeps nobody waiting
    GROUP BY l.object
), queues AS (
    SELECT mine.*, NULL::integer AS first
    FROM mine
    UNION ALL -- of those who wait for one row only the first waits for us, and the others for him
    SELECT DISTINCT q.object, TRUE, FALSE, FALSE, q.pid
    FROM locks AS q
    JOIN locks AS w ON w.pid = q.pid AND w.locktype = 'transactionid' AND NOT w.granted
    JOIN mine ON mine.object = w.object
    WHERE q.locktype = 'tuple' AND q.granted
), behind AS ( -- the longest first; asking who blocks one takes the lock manager's own locks, so not all are asked for
    SELECT
        w.pid, w.locktype, w.database, w.relation, w.mode,
        COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - CASE
            WHEN mine.first IS NULL THEN w.waitstart
            ELSE GREATEST(w.waitstart, ours.xact_start) -- before that he waited for somebody else
        END) * 1000, 0)::integer AS ms,
        mine.first,
        -- of SHARE UPDATE EXCLUSIVE, under which indexes are built CONCURRENTLY and constraints validated, and of what
        -- goes with it, no reader or writer takes notice
        mine.is_held AND (w.locktype <> 'relation' OR mine.stops_writers OR NOT EXISTS (
            SELECT FROM locks AS o
            WHERE o.pid = ours.pid AND o.granted AND o.locktype = 'relation' AND o.mode = 'ShareUpdateExclusiveLock'
        )) AS is_held,
        mine.is_wanted AS is_wanted,
        a.usename AS username, a.application_name, a.query
    FROM ours
    CROSS JOIN locks AS w
    JOIN queues AS mine ON mine.object = w.object
    JOIN pg_catalog.pg_stat_activity AS a ON a.pid = w.pid
    WHERE NOT w.granted
        AND w.pid <> ours.pid
        AND a.usesysid IS NOT NULL -- an autovacuum worker makes no one wait
        AND w.pid NOT IN (SELECT s.pid FROM pg_catalog.pg_stat_get_wal_senders() AS s) -- a new slot waits for everybody
        AND COALESCE(a.application_name, '') NOT LIKE 'wflo-schema %' -- a colleague waits for the whole of our work
    ORDER BY ms DESC
    LIMIT 100
)
SELECT
    COALESCE((
        SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - MIN(l.waitstart)) * 1000
        FROM locks AS l
        WHERE l.pid = ours.pid AND NOT l.granted
    ), 0)::integer AS own_ms,
    COALESCE(queued.ms, 0) AS queued_ms,
    COALESCE(held.ms, 0) AS held_ms,
    CASE WHEN held.ms >= $3::double precision THEN
        CASE
            WHEN $4::boolean THEN pg_catalog.pg_terminate_backend(ours.pid)
            ELSE pg_catalog.pg_cancel_backend(ours.pid)
        END
    END AS is_canceled,
    COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - ours.query_start) * 1000, 0)::bigint AS ran_ms,
    held.pid AS pid,
    COALESCE(held.username, '') AS username,
    COALESCE(held.application_name, '') AS application_name,
    COALESCE(pg_catalog.left(held.query, 500), '') AS query,
    CASE
        WHEN held.locktype IN ('transactionid', 'tuple') THEN 'a row'
        WHEN held.relation IS NULL THEN held.locktype
        WHEN held.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
            THEN held.relation::pg_catalog.regclass::text
        ELSE 'relation ' || held.relation::text
    END AS object,
    pg_catalog.upper(pg_catalog.regexp_replace(
        pg_catalog.regexp_replace(held.mode, 'Lock$', ''), '(?<=[a-z])([A-Z])', ' \1', 'g'
    )) AS mode,
    (SELECT pg_catalog.count(*) FROM behind AS b WHERE b.is_held AND b.pid <> held.pid) AS others
FROM ours
LEFT JOIN LATERAL (
    SELECT b.*
    FROM (SELECT * FROM behind WHERE is_held ORDER BY ms DESC OFFSET 0) AS b
    WHERE ours.pid = ANY (pg_catalog.pg_blocking_pids(COALESCE(b.first, b.pid)))
    LIMIT 1
) AS held ON TRUE
LEFT JOIN LATERAL (
    SELECT b.*
    FROM (SELECT * FROM behind WHERE is_wanted AND NOT is_held ORDER BY ms DESC OFFSET 0) AS b
    WHERE ours.pid = ANY (pg_catalog.pg_blocking_pids(b.pid))
    LIMIT 1
) AS queued ON TRUE

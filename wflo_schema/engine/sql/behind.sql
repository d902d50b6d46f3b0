-- behind
-- one row: a session of ours, for how long it waits itself, and who has waited longest behind it: for what it only waits
-- for (queued), and for what it holds (held); where that is $3 milliseconds or more, its statement is canceled, or
-- ($4) its session is ended.  $5 is what the look before this one has told of those who wait (known), or NULL
WITH RECURSIVE ours AS (
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
        l.pid, l.locktype, l.database, l.relation, l.classid, l.objid, l.objsubid, l.mode, l.granted, l.waitstart,
        l.virtualtransaction,
        pg_catalog.concat_ws( -- which of them are NULL, its type says
            ':', l.locktype, l.database, l.relation, l.page, l.tuple, l.virtualxid, l.transactionid, l.classid, l.objid,
            l.objsubid
        ) AS object
    FROM pg_catalog.pg_locks AS l
    WHERE NOT l.granted OR l.pid = (SELECT o.pid FROM ours AS o)
), mine AS (
    SELECT
        l.object,
        pg_catalog.bool_or(l.granted) AS is_held,
        pg_catalog.bool_or(l.granted AND l.mode IN (
            'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock'
        )) AS stops_writers
    FROM locks AS l
    JOIN ours ON l.pid = ours.pid
    GROUP BY l.object
), waiting AS MATERIALIZED ( -- asking who blocks one takes the lock manager's own locks, so not all are asked for
    SELECT w.*, pg_catalog.pg_blocking_pids(w.pid) AS blockers
    FROM (
        SELECT
            l.pid, l.virtualtransaction, l.locktype, l.database, l.relation, l.classid, l.objid, l.objsubid, l.mode,
            COALESCE(l.waitstart, pg_catalog.clock_timestamp()) AS waitstart,
            COALESCE(mine.is_held, FALSE) AS is_held,
            COALESCE(mine.stops_writers, FALSE) AS stops_writers,
            -- an autovacuum worker makes no one wait; a new slot waits for everybody; a colleague for all of our work
            a.usesysid IS NULL
                OR l.pid IN (SELECT s.pid FROM pg_catalog.pg_stat_get_wal_senders() AS s)
                OR COALESCE(a.application_name, '') LIKE 'wflo-schema %' AS is_patient,
            l.locktype = 'virtualxid' OR l.locktype = 'relation'
                AND l.mode NOT IN ('AccessShareLock', 'RowShareLock', 'RowExclusiveLock') AS is_ddl,
            a.usename AS username, a.application_name, a.query
        FROM locks AS l
        JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
        LEFT JOIN mine ON mine.object = l.object
        WHERE NOT l.granted
            AND l.pid <> (SELECT o.pid FROM ours AS o)
            AND EXISTS (
                SELECT
                FROM locks AS d
                JOIN mine AS m ON m.object = d.object
                WHERE NOT d.granted AND d.pid <> (SELECT o.pid FROM ours AS o)
            )
        ORDER BY mine.object IS NULL, l.waitstart
        LIMIT 100
    ) AS w
), chain AS ( -- who waits for us, and for somebody who does; is_let_be: for what is made to run for long beside others
    SELECT
        w.pid, w.is_held AND f.is_felt AS is_held, TRUE AS is_first,
        w.is_patient OR w.is_ddl AND (w.locktype = 'virtualxid' OR w.is_held AND NOT f.is_felt) AS is_let_be
    FROM waiting AS w
    JOIN ours ON ours.pid = ANY (w.blockers)
    CROSS JOIN LATERAL ( -- of SHARE UPDATE EXCLUSIVE, under which indexes are built CONCURRENTLY and constraints
        -- validated, and of what goes with it, no reader or writer takes notice
        SELECT w.locktype <> 'relation' OR w.stops_writers OR NOT EXISTS (
            SELECT FROM locks AS o
            WHERE o.pid = ours.pid AND o.granted AND o.locktype = 'relation' AND o.mode = 'ShareUpdateExclusiveLock'
        ) AS is_felt
    ) AS f
    UNION
    SELECT w.pid, chain.is_held OR chain.is_let_be, FALSE, w.is_patient OR (w.is_ddl AND chain.is_let_be)
    FROM chain
    JOIN waiting AS w ON chain.pid = ANY (w.blockers) AND NOT (SELECT o.pid FROM ours AS o) = ANY (w.blockers)
), behind AS (
    SELECT
        w.*, c.is_held AS is_for_held, c.is_first, c.is_let_be,
        CASE
            WHEN k.w = EXTRACT(EPOCH FROM w.waitstart)::text THEN k.s
            WHEN k.v IS NOT NULL THEN EXTRACT(EPOCH FROM w.waitstart)::double precision - (k.at - k.s) -- it waits anew
            WHEN c.is_first THEN EXTRACT(EPOCH FROM w.waitstart)::double precision
            -- before that he waited for somebody else; of one who is in line for a row it is known when at the latest
            ELSE EXTRACT(EPOCH FROM CASE
                WHEN w.locktype = 'tuple' THEN GREATEST(w.waitstart, (SELECT o.xact_start FROM ours AS o))
                ELSE now.moment
            END)::double precision
        END AS since,
        EXTRACT(EPOCH FROM now.moment)::double precision AS at
    FROM (
        SELECT
            chain.pid,
            pg_catalog.bool_or(chain.is_held) AS is_held,
            pg_catalog.bool_or(chain.is_first) AS is_first,
            pg_catalog.bool_and(chain.is_let_be) AS is_let_be
        FROM chain
        GROUP BY chain.pid
    ) AS c
    JOIN waiting AS w ON w.pid = c.pid
    CROSS JOIN (SELECT pg_catalog.clock_timestamp() AS moment OFFSET 0) AS now
    LEFT JOIN pg_catalog.jsonb_to_recordset(COALESCE($5::jsonb, '[]'))
        AS k (v text, w text, s double precision, at double precision) ON k.v = w.virtualtransaction
)
SELECT
    COALESCE((
        SELECT EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - MIN(l.waitstart)) * 1000
        FROM locks AS l
        WHERE l.pid = ours.pid AND NOT l.granted
    ), 0)::integer AS own_ms,
    COALESCE((
        SELECT pg_catalog.max(b.at - b.since) * 1000 FROM behind AS b WHERE NOT b.is_let_be AND NOT b.is_for_held
    ), 0)::integer AS queued_ms,
    COALESCE((held.at - held.since) * 1000, 0)::integer AS held_ms,
    CASE WHEN (held.at - held.since) * 1000 >= $3::double precision THEN
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
        WHEN held.locktype = 'advisory' THEN 'an advisory lock'
        WHEN held.database NOT IN (
            0, (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
        ) THEN pg_catalog.concat_ws(' ', held.locktype, held.relation, 'of another database')
        WHEN held.relation IS NOT NULL THEN held.relation::pg_catalog.regclass::text
        ELSE COALESCE(
            pg_catalog.pg_describe_object(held.classid, held.objid, held.objsubid::integer), held.locktype
        )
    END AS object,
    CASE WHEN held.locktype IN ('relation', 'object') THEN
        pg_catalog.upper(pg_catalog.regexp_replace(
            pg_catalog.regexp_replace(held.mode, 'Lock$', ''), '(?<=[a-z])([A-Z])', ' \1', 'g'
        ))
    END AS mode,
    (
        SELECT pg_catalog.count(*) FROM behind AS b WHERE b.is_for_held AND NOT b.is_let_be AND b.pid <> held.pid
    ) AS others,
    CASE WHEN NOT held.is_first AND held.locktype <> 'tuple' THEN (
        SELECT b.pid FROM behind AS b WHERE b.pid = ANY (held.blockers) ORDER BY b.is_first DESC, b.waitstart LIMIT 1
    ) END AS by_pid,
    NOT held.is_first AND (SELECT pg_catalog.bool_and(b.is_let_be) FROM behind AS b WHERE b.is_first) AS is_by_let_be,
    (
        SELECT pg_catalog.jsonb_agg(pg_catalog.jsonb_build_object(
            'v', b.virtualtransaction, 'w', EXTRACT(EPOCH FROM b.waitstart)::text, 's', b.since, 'at', b.at
        ))::text
        FROM behind AS b
    ) AS known
FROM ours
LEFT JOIN LATERAL (
    SELECT b.* FROM behind AS b WHERE b.is_for_held AND NOT b.is_let_be ORDER BY b.since LIMIT 1
) AS held ON TRUE

-- one row: a session or a prepared transaction that a session of ours waits for; $2: its pid where that is known,
-- else it is found by its name; $3: the first key of our advisory locks
WITH ours AS (
    SELECT a.pid
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.wait_event_type = 'Lock' -- asking who blocks it takes the lock manager's own locks
    ORDER BY a.pid
    LIMIT 1
), blocking AS (
    SELECT DISTINCT ours.pid AS ours, b.pid
    FROM ours
    CROSS JOIN LATERAL pg_catalog.unnest(pg_catalog.pg_blocking_pids(ours.pid)) AS b (pid)
), locks AS (
    SELECT l.*
    FROM pg_catalog.pg_locks AS l
    WHERE EXISTS (SELECT FROM blocking)
), prepared AS ( -- they have no pid: what they hold says which of them it is
    SELECT DISTINCT p.gid, p.owner, p.prepared
    FROM ours
    JOIN locks AS w ON w.pid = ours.pid AND NOT w.granted
    JOIN locks AS h ON h.pid IS NULL AND h.granted AND h.locktype = w.locktype
        AND h.database IS NOT DISTINCT FROM w.database
        AND h.relation IS NOT DISTINCT FROM w.relation
        AND h.page IS NOT DISTINCT FROM w.page
        AND h.tuple IS NOT DISTINCT FROM w.tuple
        AND h.transactionid IS NOT DISTINCT FROM w.transactionid
        AND h.classid IS NOT DISTINCT FROM w.classid
        AND h.objid IS NOT DISTINCT FROM w.objid
        AND h.objsubid IS NOT DISTINCT FROM w.objsubid
    JOIN locks AS itself ON itself.virtualtransaction = h.virtualtransaction AND itself.locktype = 'transactionid'
        AND itself.pid IS NULL AND itself.granted
    JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction = itself.transactionid
    JOIN (
        VALUES
            ('AccessShareLock', '{AccessExclusiveLock}'::text[]),
            ('RowShareLock', '{ExclusiveLock,AccessExclusiveLock}'),
            ('RowExclusiveLock', '{ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'),
            (
                'ShareUpdateExclusiveLock',
                '{ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            ),
            (
                'ShareLock',
                '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            ),
            (
                'ShareRowExclusiveLock',
                '{RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            ),
            (
                'ExclusiveLock',
                '{RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            ),
            (
                'AccessExclusiveLock',
                '{AccessShareLock,RowShareLock,RowExclusiveLock,ShareUpdateExclusiveLock,ShareLock,ShareRowExclusiveLock,ExclusiveLock,AccessExclusiveLock}'
            )
    ) AS conflicts (wanted, with_modes)
        ON conflicts.wanted = w.mode AND h.mode = ANY (conflicts.with_modes)
)
SELECT
    b.pid AS pid,
    COALESCE(a.usename, p.owner, '') AS username,
    COALESCE(a.application_name, '') AS application_name,
    COALESCE(a.state, CASE WHEN b.pid = 0 THEN 'prepared' ELSE '' END) AS state,
    COALESCE(
        EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - COALESCE(a.xact_start, p.prepared)), 0
    )::double precision AS since_s,
    COALESCE(pg_catalog.left(a.query, 500), '') AS query,
    COALESCE((
        SELECT w.relation::pg_catalog.regclass::text
        FROM locks AS w
        WHERE w.pid = b.ours AND NOT w.granted AND w.relation IS NOT NULL
        LIMIT 1
    ), '') AS relation,
    COALESCE(p.gid, '') AS gid,
    b.pid <> 0 AND (
        COALESCE(a.application_name, '') LIKE 'wflo-schema%'
        OR EXISTS (
            SELECT
            FROM locks AS l
            WHERE l.pid = b.pid AND l.locktype = 'advisory' AND l.granted AND l.classid::bigint = $3::bigint
        )
    ) AS is_colleague
FROM blocking AS b
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = b.pid
LEFT JOIN prepared AS p ON b.pid = 0
ORDER BY b.pid, p.gid

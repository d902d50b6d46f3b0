-- one row: NULL, or an error that names what this transaction changed outside its database, but for what is allowed
WITH me AS (
    SELECT
        d.oid,
        pg_catalog.pg_current_xact_id_if_assigned()::text::bigint AS began,
        pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint AS ended
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
),
versions AS (
    SELECT 'pg_database' AS catalog, d.xmin::text::bigint AS version, d.oid = me.oid AS is_own
    FROM pg_catalog.pg_database AS d, me
    UNION ALL
    SELECT 'pg_db_role_setting', s.xmin::text::bigint, s.setdatabase = me.oid
    FROM pg_catalog.pg_db_role_setting AS s, me
    UNION ALL
    SELECT
        'pg_shdescription', c.xmin::text::bigint,
        c.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND c.objoid = me.oid
    FROM pg_catalog.pg_shdescription AS c, me
    UNION ALL
    SELECT
        'pg_shseclabel', l.xmin::text::bigint,
        l.classoid = 'pg_catalog.pg_database'::pg_catalog.regclass AND l.objoid = me.oid
    FROM pg_catalog.pg_shseclabel AS l, me
    UNION ALL
    SELECT 'pg_tablespace', t.xmin::text::bigint, FALSE
    FROM pg_catalog.pg_tablespace AS t
    UNION ALL
    SELECT 'pg_replication_origin', o.xmin::text::bigint, FALSE
    FROM pg_catalog.pg_replication_origin AS o
),
numbered AS (
    SELECT
        v.catalog, v.is_own, me.began, me.ended,
        -- a row's version is the last 32 bits of the number of the transaction that wrote it
        ((me.began >> 32) << 32) + v.version
            + CASE WHEN v.version < (me.began & 4294967295) - 2147483648 THEN 4294967296 ELSE 0 END AS number
    FROM versions AS v, me
),
changed AS (
    SELECT n.catalog, n.is_own
    FROM numbered AS n
    -- a row that is seen, and whose transaction goes on, was written by this one, or by a part of it that came later
    WHERE CASE
        WHEN n.number < n.began OR n.number > n.began + 1048576 THEN FALSE
        WHEN n.number >= n.ended THEN TRUE
        ELSE pg_catalog.pg_xact_status(n.number::text::pg_catalog.xid8) = 'in progress'
    END
),
held AS (
    SELECT DISTINCT
        CASE WHEN c.relisshared THEN c.relname::text ELSE 'foreign table' END AS catalog
    FROM pg_catalog.pg_locks AS l
    JOIN me ON TRUE
    JOIN pg_catalog.pg_class AS c ON (c.oid = l.relation)
    WHERE l.locktype = 'relation'
        AND l.pid = pg_catalog.pg_backend_pid()
        AND (
            (
                l.database = 0
                AND c.relisshared
                AND c.relkind = 'r'
                AND c.relname <> 'pg_shdepend'
                AND l.mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            )
            OR (l.database = me.oid AND c.relkind = 'f' AND l.mode = 'RowExclusiveLock')
        )
),
outside AS (
    SELECT c.catalog
    FROM changed AS c
    WHERE NOT c.is_own
    UNION
    SELECT h.catalog
    FROM held AS h
    WHERE NOT EXISTS (SELECT FROM changed AS c WHERE c.catalog = h.catalog AND c.is_own)
    UNION
    SELECT 'pg_subscription'
    FROM pg_catalog.pg_subscription AS s
    JOIN me ON (s.subdbid = me.oid)
)
SELECT ('wflo-schema-outside:' || pg_catalog.string_agg(o.catalog, ',' ORDER BY o.catalog))::integer
FROM outside AS o
WHERE o.catalog <> ALL (pg_catalog.string_to_array($1::text, ','))

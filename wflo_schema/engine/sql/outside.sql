-- one row: NULL, or an error that names what this transaction changed outside its database, but for what is allowed
-- ($1, catalogs); $2: how many settings, comments and labels of others there were; $3: the lock of a refusal
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
    SELECT
        CASE WHEN c.relisshared THEN c.relname::text ELSE 'foreign table' END AS catalog,
        pg_catalog.bool_or(l.mode <> 'RowExclusiveLock' OR NOT c.relisshared) AS is_whole,
        pg_catalog.max(
            CASE
                WHEN pg_catalog.current_setting('track_counts') = 'off' THEN 1
                ELSE pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid)
                    + pg_catalog.pg_stat_get_xact_tuples_updated(c.oid)
            END
        ) AS written,
        pg_catalog.max(
            CASE
                WHEN pg_catalog.current_setting('track_counts') = 'off' THEN 1
                ELSE pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)
            END
        ) AS deleted
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
                AND l.mode IN ('RowExclusiveLock', 'ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
            )
            OR (l.database = me.oid AND c.relkind = 'f' AND l.mode = 'RowExclusiveLock')
        )
    GROUP BY c.relisshared, c.relname
),
outside AS (
    SELECT c.catalog
    FROM changed AS c
    WHERE NOT c.is_own
    UNION
    SELECT h.catalog
    FROM held AS h
    WHERE h.is_whole
        OR CASE
            -- what is written there is seen above; of what is deleted it is only known that there is less of it
            WHEN h.catalog IN ('pg_db_role_setting', 'pg_shdescription', 'pg_shseclabel')
                THEN h.deleted > 0
                    AND $2::text::bigint > (
                        SELECT pg_catalog.count(*) FROM versions AS v
                        WHERE NOT v.is_own AND v.catalog IN ('pg_db_role_setting', 'pg_shdescription', 'pg_shseclabel')
                    )
            WHEN h.catalog = 'pg_database' THEN h.deleted > 0
            ELSE h.written + h.deleted > 0
        END
    UNION
    SELECT 'refused'
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype = 'advisory'
        AND l.pid = pg_catalog.pg_backend_pid()
        AND l.objid::bigint = l.pid
        AND l.classid::bigint = $3::text::bigint
    UNION
    SELECT 'pg_subscription'
    FROM pg_catalog.pg_subscription AS s
    JOIN me ON (s.subdbid = me.oid)
)
SELECT ('wflo-schema-outside:' || pg_catalog.string_agg(o.catalog, ',' ORDER BY o.catalog))::integer
FROM outside AS o
WHERE o.catalog <> ALL (pg_catalog.string_to_array($1::text, ','))

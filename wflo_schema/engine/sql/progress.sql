-- one row: the statement that a session of ours is at, and how far it is; $2: its pid where that is known, else it is
-- found by its name; $3: ask as well how big the database is
WITH ours AS (
    SELECT
        a.pid,
        a.query,
        a.query_start
    FROM pg_catalog.pg_stat_activity AS a
    WHERE a.datname = pg_catalog.current_database()
        AND CASE
            WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
            ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
        END
        AND a.pid <> pg_catalog.pg_backend_pid()
        AND a.state = 'active'
    ORDER BY a.pid
    LIMIT 1
), told AS ( -- of each kind at most one
    SELECT
        p.command,
        p.relid,
        p.phase || CASE
            WHEN p.partitions_total > 0 THEN pg_catalog.format(' (partition %s of %s)', p.partitions_done + 1, p.partitions_total)
            ELSE ''
        END AS phase,
        CASE
            WHEN p.phase LIKE '%sorting%' THEN NULL
            WHEN p.phase LIKE 'waiting%' THEN CASE WHEN p.lockers_total > 0 THEN p.lockers_done END
            WHEN p.phase LIKE '%tuples%' THEN p.tuples_done
            WHEN p.blocks_total > 0 THEN p.blocks_done
            ELSE p.tuples_done
        END AS done,
        CASE
            WHEN p.phase LIKE '%sorting%' THEN NULL
            WHEN p.phase LIKE 'waiting%' THEN p.lockers_total
            WHEN p.phase LIKE '%tuples%' THEN p.tuples_total
            WHEN p.blocks_total > 0 THEN p.blocks_total
            ELSE p.tuples_total
        END AS total,
        CASE
            WHEN p.phase LIKE 'waiting%' THEN 'sessions'
            WHEN p.phase NOT LIKE '%tuples%' AND p.blocks_total > 0 THEN 'blocks'
            ELSE 'rows'
        END AS unit
    FROM ours
    JOIN pg_catalog.pg_stat_progress_create_index AS p ON p.pid = ours.pid
    UNION ALL
    SELECT
        p.command,
        p.relid,
        p.phase,
        CASE
            WHEN p.phase LIKE 'seq scanning%' THEN p.heap_blks_scanned
            WHEN p.phase LIKE 'rebuilding%' THEN p.index_rebuild_count
            WHEN p.phase LIKE 'writing%' THEN p.heap_tuples_written
            ELSE p.heap_tuples_scanned
        END,
        CASE
            WHEN p.phase LIKE 'seq scanning%' THEN p.heap_blks_total
            WHEN p.phase LIKE 'rebuilding%'
                THEN (SELECT pg_catalog.count(*) FROM pg_catalog.pg_index AS i WHERE i.indrelid = p.relid)
            WHEN p.phase LIKE 'writing%' THEN p.heap_tuples_scanned
            ELSE (SELECT GREATEST(c.reltuples, 0)::bigint FROM pg_catalog.pg_class AS c WHERE c.oid = p.relid)
        END,
        CASE
            WHEN p.phase LIKE 'seq scanning%' THEN 'blocks'
            WHEN p.phase LIKE 'rebuilding%' THEN 'indexes'
            ELSE 'rows'
        END
    FROM ours
    JOIN pg_catalog.pg_stat_progress_cluster AS p ON p.pid = ours.pid
    UNION ALL
    SELECT
        'VACUUM',
        p.relid,
        p.phase,
        CASE p.phase
            WHEN 'scanning heap' THEN p.heap_blks_scanned
            WHEN 'vacuuming heap' THEN p.heap_blks_vacuumed
        END,
        CASE WHEN p.phase IN ('scanning heap', 'vacuuming heap') THEN p.heap_blks_total END,
        'blocks'
    FROM ours
    JOIN pg_catalog.pg_stat_progress_vacuum AS p ON p.pid = ours.pid
    UNION ALL
    SELECT
        'ANALYZE',
        p.relid,
        p.phase,
        p.sample_blks_scanned,
        p.sample_blks_total,
        'blocks'
    FROM ours
    JOIN pg_catalog.pg_stat_progress_analyze AS p ON p.pid = ours.pid
    UNION ALL
    SELECT
        p.command,
        p.relid,
        '',
        p.bytes_processed,
        p.bytes_total,
        'bytes'
    FROM ours
    JOIN pg_catalog.pg_stat_progress_copy AS p ON p.pid = ours.pid
), held AS ( -- the table that the statement names and holds most strongly; asking for its size would need a lock on it
    SELECT
        c.oid,
        c.relname,
        c.relpages + COALESCE(t.relpages, 0) AS blocks,
        l.mode = 'AccessExclusiveLock' AS is_exclusive,
        GREATEST(c.relpages, 0) + COALESCE(GREATEST(t.relpages, 0), 0) + (
            SELECT COALESCE(pg_catalog.sum(GREATEST(ic.relpages, 0)), 0)
            FROM pg_catalog.pg_index AS i
            JOIN pg_catalog.pg_class AS ic ON ic.oid = i.indexrelid
            WHERE i.indrelid = c.oid
        ) AS blocks_with_indexes
    FROM ours
    JOIN pg_catalog.pg_locks AS l ON l.pid = ours.pid AND l.locktype = 'relation' AND l.granted
    JOIN pg_catalog.pg_class AS c ON c.oid = l.relation AND c.relkind IN ('r', 'm')
    LEFT JOIN pg_catalog.pg_class AS t ON t.oid = c.reltoastrelid
    WHERE l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
        AND ours.query NOT LIKE 'BEGIN %' -- of many statements in one message nobody knows which it is at
        AND ours.query ~* (E'\\m' || pg_catalog.regexp_replace(c.relname, E'(\\W)', E'\\\\\\1', 'g') || E'\\M')
    ORDER BY
        l.mode = 'AccessExclusiveLock' DESC,
        l.mode IN ('ShareLock', 'ShareUpdateExclusiveLock', 'ShareRowExclusiveLock') DESC,
        c.relpages DESC
    LIMIT 1
), fresh AS ( -- a table that nobody else can see yet: the copy that a rewrite fills, or one that the file makes
    SELECT FROM ours
    JOIN pg_catalog.pg_locks AS l ON l.pid = ours.pid AND l.locktype = 'relation'
    WHERE l.mode = 'AccessExclusiveLock'
        AND ours.query NOT LIKE 'BEGIN %'
        AND NOT EXISTS (SELECT FROM pg_catalog.pg_class AS c WHERE c.oid = l.relation)
    LIMIT 1
)
SELECT
    ours.query AS query,
    ours.query_start::text AS began,
    told.command AS command,
    told.phase AS phase,
    COALESCE(c.relname, held.relname)::text AS relation,
    told.done * CASE WHEN told.unit = 'blocks' THEN block.size ELSE 1 END AS done,
    NULLIF(told.total, 0) * CASE WHEN told.unit = 'blocks' THEN block.size ELSE 1 END AS total,
    CASE WHEN told.unit = 'blocks' THEN 'bytes' ELSE told.unit END AS unit,
    NULLIF(GREATEST(held.blocks, 0), 0) * block.size AS bytes,
    CASE WHEN held.is_exclusive THEN held.blocks_with_indexes * block.size END AS bytes_to_copy,
    EXISTS (SELECT FROM fresh) AND told.command IS NULL AS has_fresh,
    CASE
        WHEN $3::boolean AND told.command IS NULL AND EXISTS (SELECT FROM fresh)
            THEN pg_catalog.pg_database_size(pg_catalog.current_database())
    END AS size
FROM ours
CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint AS size) AS block
LEFT JOIN told ON TRUE
LEFT JOIN held ON TRUE
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = told.relid
LIMIT 1

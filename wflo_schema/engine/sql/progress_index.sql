-- one row: an index build that a session of ours is running; $2: its pid where that is known
SELECT
    p.phase AS phase,
    CASE
        WHEN p.blocks_total > 0 THEN (100 * p.blocks_done / p.blocks_total)::integer
        WHEN p.tuples_total > 0 THEN (100 * p.tuples_done / p.tuples_total)::integer
    END AS percent
FROM pg_catalog.pg_stat_progress_create_index AS p
JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
WHERE a.datname = pg_catalog.current_database()
    AND CASE
        WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
        ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
    END
ORDER BY p.pid
LIMIT 1

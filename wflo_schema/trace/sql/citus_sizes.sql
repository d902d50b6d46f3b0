-- one row: a table of these names that Citus distributes, with what its shards hold, wherever they are; rows are what
-- the statistics there say, NULL where they were never collected
SELECT
    w.name AS relation,
    pg_catalog.sum(held.rows)::bigint AS rows,
    pg_catalog.bool_or(held.rows IS NULL) AS is_unknown,
    pg_catalog.sum(pg_catalog.citus_relation_size(t.oid))::bigint AS bytes,
    pg_catalog.sum(pg_catalog.citus_table_size(t.oid) - pg_catalog.citus_relation_size(t.oid))::bigint AS toast_bytes,
    pg_catalog.sum(
        pg_catalog.citus_total_relation_size(t.oid) - pg_catalog.citus_table_size(t.oid)
    )::bigint AS index_bytes
FROM pg_catalog.unnest(%(names)s::text[]) AS w (name)
CROSS JOIN LATERAL (SELECT pg_catalog.to_regclass(w.name)::oid AS oid) AS c
CROSS JOIN LATERAL (
    SELECT c.oid
    UNION
    SELECT p.relid::oid
    FROM pg_catalog.pg_partition_tree(c.oid) AS p
) AS t
JOIN pg_catalog.pg_dist_partition AS d ON d.logicalrelid = t.oid
CROSS JOIN LATERAL (
    SELECT CASE WHEN pg_catalog.bool_and(s.result <> '') THEN pg_catalog.sum(NULLIF(s.result, '')::bigint) END AS rows
    FROM pg_catalog.run_command_on_shards(
        t.oid::regclass,
        'SELECT CASE WHEN reltuples >= 0 THEN reltuples::bigint WHEN pg_catalog.pg_stat_get_live_tuples(oid) > 0 '
        'THEN pg_catalog.pg_stat_get_live_tuples(oid) WHEN pg_catalog.pg_relation_size(oid) = 0 THEN 0 END '
        'FROM pg_catalog.pg_class WHERE oid = ''%%s''::regclass'
    ) AS s
) AS held
GROUP BY w.name

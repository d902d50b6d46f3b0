-- one row: how many rows the largest table of the database has
SELECT coalesce(
    pg_catalog.max(GREATEST(c.reltuples::bigint, pg_catalog.pg_stat_get_live_tuples(c.oid))), 0
)::bigint AS rows
FROM pg_catalog.pg_class AS c
WHERE c.relkind IN ('r', 'm') AND c.oid OPERATOR(pg_catalog.>=) 16384

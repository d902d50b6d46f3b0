-- One row is one table that a name may mean, or a view, so that it can be said that it is none.
SELECT
    c.oid::bigint AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relispartition AS is_partition,
    pg_catalog.pg_table_is_visible(c.oid) AS is_visible,
    COALESCE(n.nspname = pg_catalog.current_schema(), false) AS is_here,
    c.relrowsecurity AS has_row_security,
    CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) ELSE '' END AS partition_key
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) c.relnamespace)
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname

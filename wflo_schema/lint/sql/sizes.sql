-- one row: a table with its estimated rows (NULL: nobody has counted), and its bytes with all that belongs to it
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    CASE WHEN c.reltuples OPERATOR(pg_catalog.>=) 0 THEN c.reltuples::bigint END AS rows,
    pg_catalog.pg_total_relation_size(c.oid) AS bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE c.relkind IN ('r', 'm') AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
ORDER BY n.nspname, c.relname

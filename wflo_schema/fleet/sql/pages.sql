-- one row: a schema, and how many pages its tables and indexes have, as VACUUM, ANALYZE or a build counted last
SELECT
    n.nspname::text AS schema,
    coalesce(sum(greatest(c.relpages, 0)), 0)::bigint AS pages
FROM pg_catalog.pg_namespace AS n
JOIN pg_catalog.pg_class AS c ON c.relnamespace OPERATOR(pg_catalog.=) n.oid
WHERE n.nspname OPERATOR(pg_catalog.!~) '^pg_' AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
GROUP BY n.nspname
ORDER BY n.nspname

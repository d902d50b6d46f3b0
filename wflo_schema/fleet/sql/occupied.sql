-- one row: a schema of $1 in which something is; $2: names of tables that do not count
SELECT n.nspname AS schema
FROM pg_catalog.pg_namespace AS n
JOIN (
    SELECT c.relnamespace AS place FROM pg_catalog.pg_class AS c WHERE c.relname <> ALL ($2::text[]) AND c.relkind <> 'i'
    UNION
    SELECT p.pronamespace FROM pg_catalog.pg_proc AS p
    UNION
    SELECT y.typnamespace FROM pg_catalog.pg_type AS y WHERE y.typtype IN ('e', 'd', 'r')
) AS held ON held.place = n.oid
WHERE n.nspname = ANY ($1::text[])

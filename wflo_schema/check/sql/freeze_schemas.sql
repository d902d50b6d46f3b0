-- One row: a schema, none of the system's, that holds a table which is no partition, no ledger and no extension's.
SELECT DISTINCT n.nspname::text AS schema
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    n.nspname <> 'information_schema'
    AND n.nspname !~ '^pg_'
    AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition
    AND NOT (c.relname = ANY (%(ignore)s::pg_catalog.name[]))
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname::text

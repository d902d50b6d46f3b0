-- One row: an ordinary or partitioned table of the schema that is no partition and belongs to no extension.
SELECT
    c.oid AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE
    n.nspname = %(schema)s
    AND c.relkind IN ('r', 'p')
    AND NOT c.relispartition
    AND NOT (c.relname = ANY (%(ignore)s::pg_catalog.name[]))
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e'
    )
ORDER BY c.relname

-- One row: a relation, in any schema but temporary ones, that bears one of the given names.
SELECT
    c.oid AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY (%(names)s::pg_catalog.name[]) AND n.nspname !~ '^pg_(toast_)?temp_'
ORDER BY n.nspname, c.relname

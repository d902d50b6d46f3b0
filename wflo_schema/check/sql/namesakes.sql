-- One row: a foreign key of one of the given names, wherever it is.
SELECT
    con.conname::text AS name,
    n.nspname::text AS schema,
    c.relname::text AS "table"
FROM pg_catalog.pg_constraint AS con
JOIN pg_catalog.pg_class AS c ON c.oid = con.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE con.contype = 'f' AND con.conname = ANY (%(names)s::pg_catalog.name[])
ORDER BY con.conname, n.nspname, c.relname

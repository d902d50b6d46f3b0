-- One row: a constraint of any kind that is on one of the given relations and bears one of the given names.
SELECT
    con.conrelid AS relation,
    con.conname::text AS name
FROM pg_catalog.pg_constraint AS con
WHERE con.conrelid = ANY (%(relations)s::oid[]) AND con.conname = ANY (%(names)s::pg_catalog.name[])

-- One row: a schema that Citus distributes, so that its tables are on one node, side by side.
SELECT n.nspname::text AS name
FROM pg_catalog.pg_dist_schema AS s
JOIN pg_catalog.pg_namespace AS n ON n.oid = s.schemaid
WHERE %(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[])
ORDER BY n.nspname

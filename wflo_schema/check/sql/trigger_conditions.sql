-- One row: the definition of one of the given triggers, which holds its WHEN.  This locks their tables as any query does.
SELECT
    t.oid AS oid,
    pg_catalog.pg_get_triggerdef(t.oid) AS definition
FROM pg_catalog.pg_trigger AS t
WHERE t.oid = ANY (%(triggers)s::oid[])
ORDER BY t.oid

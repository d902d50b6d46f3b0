-- One row: the predicate of one of the given partial indexes.  This locks their tables as any query does.
SELECT
    x.indexrelid AS oid,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate
FROM pg_catalog.pg_index AS x
WHERE x.indexrelid = ANY (%(indexes)s::oid[]) AND x.indpred IS NOT NULL
ORDER BY x.indexrelid

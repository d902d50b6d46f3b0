-- one row: says that a hook is not due any more; divides by zero where it was not
WITH removed AS (
    DELETE FROM {schema}._wflo_schema_progress AS p
    WHERE p.migration_hash OPERATOR(pg_catalog.=) $1::varchar
    RETURNING p.migration_hash
)
SELECT 1 OPERATOR(pg_catalog./) pg_catalog.count(*)::integer AS removed
FROM removed

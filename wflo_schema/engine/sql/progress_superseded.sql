-- one row where another tool has applied or rolled back the migration since its progress was begun
SELECT pg_catalog.count(*) AS log_rows
FROM {schema}._yoyo_log AS l
WHERE l.migration_hash = $1::text
HAVING pg_catalog.count(*) > (
    SELECT p.log_rows
    FROM {schema}._wflo_schema_progress AS p
    WHERE p.migration_hash = $1::text
)

-- one row where the migration was applied or rolled back by another tool after its progress was written
SELECT l.operation AS operation
FROM {schema}._wflo_schema_progress AS p
JOIN {schema}._yoyo_log AS l
    ON l.migration_hash = p.migration_hash
    AND l.created_at_utc > p.updated_at_utc
    AND l.operation IN ('apply', 'rollback', 'mark', 'unmark')
WHERE p.migration_hash = $1
ORDER BY l.created_at_utc DESC
LIMIT 1

-- one row: a variable of an applied migration whose value is recorded
SELECT
    v.migration_hash AS hash,
    v.name AS name,
    v.value AS value
FROM {schema}._wflo_schema_variable AS v
WHERE v.value IS NOT NULL
ORDER BY v.migration_id, v.name

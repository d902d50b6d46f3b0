-- no row: records the variables of a migration, of which $3 is a JSON object, in place of what was recorded
INSERT INTO {schema}._wflo_schema_variable AS v (migration_hash, migration_id, name, value, recorded_at_utc)
SELECT
    $1::text,
    $2::text,
    given.key,
    given.value,
    pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
FROM pg_catalog.json_each_text($3::json) AS given
ON CONFLICT (migration_hash, name) DO UPDATE
SET migration_id = EXCLUDED.migration_id,
    value = EXCLUDED.value,
    recorded_at_utc = EXCLUDED.recorded_at_utc

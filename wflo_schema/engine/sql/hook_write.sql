-- no row: says that a hook is due, or was run; where that is said already, locks the row for whoever runs the hook
INSERT INTO {schema}._wflo_schema_progress AS p (
    migration_hash, migration_id, operation, statements_done, done_checksum, updated_at_utc
)
VALUES ($1::text, $2::text, $3::text, 0, '', pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')
ON CONFLICT (migration_hash) DO UPDATE SET operation = EXCLUDED.operation, updated_at_utc = EXCLUDED.updated_at_utc

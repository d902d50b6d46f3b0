-- no row: says how far a non-transactional migration has come
INSERT INTO {schema}._wflo_schema_progress AS p (
    migration_hash, migration_id, operation, statements_done, done_checksum, running_statement, running_names, updated_at_utc
)
VALUES ($1, $2, $3, $4::integer, $5, $6, $7, pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')
ON CONFLICT (migration_hash) DO UPDATE SET
    operation = EXCLUDED.operation,
    statements_done = EXCLUDED.statements_done,
    done_checksum = EXCLUDED.done_checksum,
    running_statement = EXCLUDED.running_statement,
    running_names = EXCLUDED.running_names,
    updated_at_utc = EXCLUDED.updated_at_utc

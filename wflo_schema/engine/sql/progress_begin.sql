-- no row: a non-transactional migration begins; violates the key where another run has begun it
INSERT INTO {schema}._wflo_schema_progress (
    migration_hash, migration_id, operation, statements_done, done_checksum, running_statement, running_names, updated_at_utc,
    log_rows
)
SELECT
    $1::text,
    $2::text,
    $3::text,
    $4::integer,
    $5::text,
    $6::text,
    $7::text,
    pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
    (SELECT pg_catalog.count(*) FROM {schema}._yoyo_log AS l WHERE l.migration_hash = $1::text)
WHERE 1 / pg_catalog.pg_try_advisory_lock($8::integer, $9::integer)::integer = 1

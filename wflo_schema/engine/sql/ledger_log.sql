-- no row: logs what was done with a migration
INSERT INTO {schema}._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)
VALUES (
    $1::text,
    $2::text,
    $3::text,
    $4::text,
    $5::text,
    $6::text,
    pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
)

-- one row: divides by zero unless the record of a migration is there as it was written; then ends all writing,
-- so that what PostgreSQL does at COMMIT (deferred triggers, cursors WITH HOLD) cannot take it away either
SELECT
    1 OPERATOR(pg_catalog./) pg_catalog.count(*)::integer AS recorded,
    pg_catalog.set_config('transaction_read_only', 'on', TRUE) AS is_read_only,
    pg_catalog.set_config('synchronous_commit', 'off', TRUE) AS synchronous_commit
FROM {schema}._yoyo_migration AS m
WHERE m.migration_hash OPERATOR(pg_catalog.=) $1::varchar
    AND m.migration_id OPERATOR(pg_catalog.=) $2::varchar
    AND m.checksum OPERATOR(pg_catalog.=) $3::varchar

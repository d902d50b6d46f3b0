-- one row: divides by zero unless the record of a migration is there as it was written; then ends all writing,
-- so that what PostgreSQL does at COMMIT (deferred triggers, cursors WITH HOLD) cannot take it away either
SELECT
    1 OPERATOR(pg_catalog./) pg_catalog.count(*)::integer AS recorded{ending}
FROM {schema}._yoyo_migration AS m
WHERE m.migration_hash OPERATOR(pg_catalog.=) $1::varchar
    AND m.migration_id OPERATOR(pg_catalog.=) $2::varchar
    AND m.checksum OPERATOR(pg_catalog.=) $3::varchar

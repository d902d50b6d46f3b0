-- one row: takes a migration's record away and logs it; divides by zero unless the ledger is as planned
WITH removed AS (
    DELETE FROM {schema}._yoyo_migration AS m
    WHERE m.migration_hash = $1::text
        AND (
            SELECT pg_catalog.md5(pg_catalog.string_agg(x.migration_hash, ',' ORDER BY x.migration_hash COLLATE "C"))
            FROM {schema}._yoyo_migration AS x
        ) = $6::text
    RETURNING m.migration_hash
), logged AS (
    INSERT INTO {schema}._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)
    SELECT
        $3::text,
        removed.migration_hash,
        $2::text,
        'rollback',
        $4::text,
        $5::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
    FROM removed
)
SELECT 1 / pg_catalog.count(*) AS removed
FROM removed

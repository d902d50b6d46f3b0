-- one row: records a migration in place of others, whose rows are set aside; divides by zero unless they are as planned
WITH former AS (
    UPDATE {schema}._yoyo_migration AS m
    SET checksum = 'beside'
    WHERE m.migration_hash = ANY ($4::text[])
        AND m.checksum IS DISTINCT FROM 'beside'
    RETURNING m.applied_at_utc
), followed AS (
    INSERT INTO {schema}._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum)
    SELECT
        $1::text,
        $2::text,
        pg_catalog.max(former.applied_at_utc),
        $3::text
    FROM former
    HAVING pg_catalog.count(*) = $5::bigint
    ON CONFLICT (migration_hash) DO UPDATE SET applied_at_utc = EXCLUDED.applied_at_utc, checksum = EXCLUDED.checksum
    RETURNING migration_hash
), logged AS (
    INSERT INTO {schema}._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)
    SELECT
        $6::text,
        followed.migration_hash,
        $2::text,
        'follow',
        $7::text,
        $8::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
    FROM followed
)
SELECT 1 / pg_catalog.count(*) AS followed
FROM followed

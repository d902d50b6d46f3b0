-- no row: records a migration if its predecessors are recorded, else violates NOT NULL; divides by zero
-- while another run holds the lock of non-transactional migrations
WITH recorded AS (
    INSERT INTO {schema}._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum)
    SELECT
        CASE
            WHEN 1 / pg_catalog.pg_try_advisory_xact_lock_shared($9::integer, $10::integer)::integer = 1 AND (
                SELECT pg_catalog.count(*)
                FROM {schema}._yoyo_migration AS p
                WHERE p.migration_hash = ANY ($4::text[])
            ) = pg_catalog.cardinality($4::text[]) THEN $1::text
        END,
        $2::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
        $3::text
    RETURNING migration_hash
)
INSERT INTO {schema}._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)
SELECT
    $5::text,
    recorded.migration_hash,
    $2::text,
    $6::text,
    $7::text,
    $8::text,
    pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
FROM recorded

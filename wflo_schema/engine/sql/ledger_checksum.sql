-- one row: gives a recorded migration its checksum and logs it; divides by zero where it is not recorded
WITH changed AS (
    UPDATE {schema}._yoyo_migration AS m
    SET checksum = $3::text
    WHERE m.migration_hash = $1::text
    RETURNING m.migration_hash
), logged AS (
    INSERT INTO {schema}._yoyo_log (id, migration_hash, migration_id, operation, username, hostname, created_at_utc)
    SELECT
        $4::text,
        changed.migration_hash,
        $2::text,
        $5::text,
        $6::text,
        $7::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
    FROM changed
)
SELECT 1 / pg_catalog.count(*) AS changed
FROM changed

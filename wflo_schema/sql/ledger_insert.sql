-- one row, of settings: records a migration if its predecessors are recorded, else violates NOT NULL
WITH recorded AS (
    INSERT INTO {schema}._yoyo_migration (migration_hash, migration_id, applied_at_utc, checksum)
    SELECT
        CASE
            WHEN $4::text[] = '{{}}' THEN $1::text
            WHEN (
                SELECT pg_catalog.count(*)
                FROM {schema}._yoyo_migration AS p
                WHERE p.migration_hash = ANY ($4::text[])
            ) = pg_catalog.cardinality($4::text[]) THEN $1::text
        END,
        $2::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
        $3::text
    RETURNING migration_hash
), logged AS (
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
)
SELECT pg_catalog.set_config(wanted.name, wanted.setting, TRUE) AS setting
FROM recorded
CROSS JOIN pg_catalog.jsonb_each_text($9::jsonb) AS wanted (name, setting)

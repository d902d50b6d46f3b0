-- one row a setting: takes a migration's record away and logs it; divides by zero unless the ledger is as planned
WITH removed AS (
    DELETE FROM {schema}._yoyo_migration AS m
    WHERE m.migration_hash = $1::text
        AND (
            SELECT pg_catalog.md5(pg_catalog.string_agg(x.migration_hash, ',' ORDER BY x.migration_hash COLLATE "C"))
            FROM {schema}._yoyo_migration AS x
        ) = $7::text
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
SELECT
    pg_catalog.set_config(wanted.name, wanted.setting, TRUE) AS setting,
    1 / (SELECT pg_catalog.count(*) FROM removed) AS removed
FROM pg_catalog.jsonb_each_text($6::jsonb) AS wanted (name, setting)

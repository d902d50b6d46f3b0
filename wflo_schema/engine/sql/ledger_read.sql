-- one row: a migration recorded as applied, of these hashes ($1) if any are given
SELECT
    m.migration_hash AS hash,
    COALESCE(m.migration_id, '') AS id,
    pg_catalog.to_char(m.applied_at_utc, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS applied_at,
    {checksum} AS checksum
FROM {schema}._yoyo_migration AS m
WHERE $1::varchar[] IS NULL OR m.migration_hash = ANY ($1::varchar[])
ORDER BY m.applied_at_utc, m.migration_id

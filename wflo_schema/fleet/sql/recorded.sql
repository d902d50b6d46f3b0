-- one row: how much the ledger of a schema records, when the last of it was applied, and an md5 of all in its order
SELECT
    {number}::integer AS number,
    pg_catalog.to_char(pg_catalog.max(m.applied_at_utc), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS after,
    pg_catalog.md5(
        pg_catalog.string_agg(
            pg_catalog.concat_ws(' ', m.migration_hash, m.migration_id, {checksum}), ',' ORDER BY m.applied_at_utc, m.migration_id
        )
    ) AS digest
FROM {schema}._yoyo_migration AS m

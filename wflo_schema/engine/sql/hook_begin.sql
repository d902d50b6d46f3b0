-- one row: remembers what the ledger records, until the transaction ends
SELECT
    pg_catalog.set_config(
        'wflo_schema.ledger',
        pg_catalog.md5(
            COALESCE(
                pg_catalog.string_agg(
                    pg_catalog.concat(m.migration_hash, ' ', m.checksum), ',' ORDER BY m.migration_hash COLLATE "C"
                ),
                ''
            )
        ),
        TRUE
    ) AS recorded
FROM {schema}._yoyo_migration AS m

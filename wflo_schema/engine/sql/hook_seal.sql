-- one row: divides by zero unless the ledger records what it did; then ends all writing, as ledger_seal.sql does
SELECT
    1 OPERATOR(pg_catalog./) (
        pg_catalog.md5(
            COALESCE(
                pg_catalog.string_agg(
                    pg_catalog.concat(m.migration_hash, ' ', m.checksum), ',' ORDER BY m.migration_hash COLLATE "C"
                ),
                ''
            )
        ) OPERATOR(pg_catalog.=) {before}
    )::integer AS recorded{ending}
FROM {schema}._yoyo_migration AS m

-- one row: divides by zero unless the records $1 (hashes) are there as they were written ($2, a digest of hashes and
-- checksums); then ends all writing where nothing follows, as ledger_seal.sql does
SELECT
    1 OPERATOR(pg_catalog./) (
        COALESCE(
            pg_catalog.md5(
                pg_catalog.string_agg(
                    pg_catalog.concat(m.migration_hash, ' ', m.checksum), ',' ORDER BY m.migration_hash COLLATE "C"
                )
            ),
            ''
        ) OPERATOR(pg_catalog.=) $2::text
    )::integer AS recorded{ending}
FROM {schema}._yoyo_migration AS m
WHERE m.migration_hash OPERATOR(pg_catalog.=) ANY (pg_catalog.string_to_array($1::text, ','))

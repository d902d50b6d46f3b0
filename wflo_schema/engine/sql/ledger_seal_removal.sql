-- one row: divides by zero unless the ledger records what it did, without the migration that is rolled back;
-- then ends all writing, as ledger_seal.sql does
SELECT
    1 OPERATOR(pg_catalog./) (
        COALESCE(
            pg_catalog.md5(pg_catalog.string_agg(m.migration_hash, ',' ORDER BY m.migration_hash COLLATE "C")),
            ''
        ) OPERATOR(pg_catalog.=) $1::text
    )::integer AS removed{ending}
FROM {schema}._yoyo_migration AS m

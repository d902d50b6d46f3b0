-- no row: remembers what the ledger records, as hook_begin.sql does
DECLARE
    recorded text;
BEGIN
    SELECT
        pg_catalog.md5(
            COALESCE(
                pg_catalog.string_agg(
                    pg_catalog.concat(m.migration_hash, ' ', m.checksum), ',' ORDER BY m.migration_hash COLLATE "C"
                ),
                ''
            )
        )
    INTO recorded
    FROM {schema}._yoyo_migration AS m;
    PERFORM pg_catalog.set_config('wflo_schema.ledger', recorded, TRUE);
END

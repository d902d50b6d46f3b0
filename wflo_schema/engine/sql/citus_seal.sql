-- no row: looks at the ledger, which fails unless it is as it must be; then ends all writing, as ledger_seal.sql does
DECLARE
    wflo_schema_before text := pg_catalog.current_setting('wflo_schema.ledger', TRUE);
BEGIN
    PERFORM look.* FROM ({look}) AS look;
    PERFORM pg_catalog.set_config('transaction_read_only', '{read_only}', TRUE);
END

-- no row: an error where this transaction has written on another server, of those that postgres_fdw is connected with
DO $wflo_schema$
DECLARE
    connections text := (
        SELECT pg_catalog.format('SELECT server_name FROM %I.postgres_fdw_get_connections()', n.nspname)
        FROM pg_catalog.pg_proc AS p
        JOIN pg_catalog.pg_namespace AS n ON (n.oid = p.pronamespace)
        WHERE p.proname = 'postgres_fdw_get_connections'
        ORDER BY p.oid
        LIMIT 1
    );
    server text;
    written bigint;
BEGIN
    IF connections IS NULL THEN
        RETURN;
    END IF;
    FOR server IN EXECUTE connections LOOP
        BEGIN
            -- what the transaction over there has written so far, as that server counts
            EXECUTE pg_catalog.format(
                'CREATE FOREIGN TABLE pg_temp.wflo_schema_written (n_tup_ins bigint, n_tup_upd bigint, n_tup_del bigint) '
                'SERVER %I OPTIONS (schema_name %L, table_name %L)', server, 'pg_catalog', 'pg_stat_xact_all_tables'
            );
            EXECUTE 'SELECT sum(n_tup_ins + n_tup_upd + n_tup_del) FROM pg_temp.wflo_schema_written' INTO written;
            RAISE EXCEPTION USING ERRCODE = 'WFLO1';
        EXCEPTION
            WHEN SQLSTATE 'WFLO1' THEN NULL;  -- nothing of the look stays
            WHEN OTHERS THEN written := 0;
        END;
        IF written > 0 THEN
            PERFORM ('wflo-schema-outside:foreign table' || pg_catalog.left(written::text, 0))::integer;
        END IF;
    END LOOP;
END
$wflo_schema$

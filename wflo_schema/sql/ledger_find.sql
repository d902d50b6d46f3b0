-- one row: where the ledger is or would be, what it looks like, and what the session is like
SELECT
    COALESCE($1, ledger.schema, pg_catalog.current_schema()) AS schema,
    ledger.schema IS NOT NULL AS has_ledger,
    COALESCE(ledger.columns, '') AS columns,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname = COALESCE($1, pg_catalog.current_schema())
    ) AS has_schema,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ledger.schema AND c.relname = '_yoyo_log' AND c.relkind IN ('r', 'p')
    ) AS has_log,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ledger.schema AND c.relname = '_wflo_schema_progress'
    ) AS has_progress,
    pg_catalog.pg_is_in_recovery() AS is_standby,
    pg_catalog.pg_backend_pid() AS pid,
    pg_catalog.current_setting('server_version') AS version,
    CURRENT_USER AS role,
    COALESCE(ledger.has_triggers, FALSE) AS has_triggers
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT
        n.nspname AS schema,
        c.relhastriggers OR c.relhasrules AS has_triggers,
        (
            SELECT pg_catalog.string_agg(a.attname, ' ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ) AS columns
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE c.relname = '_yoyo_migration'
        AND c.relkind IN ('r', 'p')
        AND c.relpersistence <> 't'
        AND (n.nspname = $1 OR ($1 IS NULL AND pg_catalog.pg_table_is_visible(c.oid)))
) AS ledger ON TRUE

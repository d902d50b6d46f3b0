-- one row: what a schema of $1 is like, and the ledger in it; $2: the names of the ledger's tables
SELECT
    w.schema,
    n.oid IS NOT NULL AS has_schema,
    COALESCE(t.is_table, FALSE) AS has_ledger,
    COALESCE(t.columns, 0) AS columns,
    COALESCE(t.has_checksums, FALSE) AS has_checksums,
    COALESCE(t.has_log, FALSE) AS has_log,
    COALESCE(t.has_log_rows, FALSE) AS has_log_rows,
    COALESCE(t.has_triggers, FALSE) AS has_triggers,
    COALESCE(t.own_tables, '') AS own_tables,
    -- who may not enter, or not see all rows, is told so where that target is looked at by itself
    COALESCE(pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND COALESCE(t.is_readable, TRUE), FALSE) AS is_readable
FROM pg_catalog.unnest($1::text[]) AS w(schema)
LEFT JOIN pg_catalog.pg_namespace AS n ON n.nspname = w.schema
LEFT JOIN LATERAL (
    SELECT
        pg_catalog.bool_or(c.relname = '_yoyo_migration' AND c.relkind IN ('r', 'p')) AS is_table,
        pg_catalog.max(c.relnatts) FILTER (WHERE c.relname = '_yoyo_migration') AS columns,
        pg_catalog.bool_or(c.relname = '_yoyo_migration' AND EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'checksum'
        )) AS has_checksums,
        pg_catalog.bool_or(c.relname = '_yoyo_log' AND c.relkind IN ('r', 'p')) AS has_log,
        pg_catalog.bool_or(c.relname = '_wflo_schema_progress' AND EXISTS (
            SELECT FROM pg_catalog.pg_attribute AS a WHERE a.attrelid = c.oid AND a.attname = 'log_rows'
        )) AS has_log_rows,
        pg_catalog.bool_or(c.relname IN ('_yoyo_migration', '_yoyo_log') AND (
            c.relhasrules OR c.relhastriggers AND EXISTS (
                SELECT FROM pg_catalog.pg_trigger AS g WHERE g.tgrelid = c.oid AND NOT g.tgisinternal
            )
        )) AS has_triggers,
        pg_catalog.string_agg(c.relname, ' ') FILTER (WHERE c.relname ~ '^_wflo_' AND c.relkind IN ('r', 'p'))
            AS own_tables,
        pg_catalog.bool_and(
            pg_catalog.has_table_privilege(c.oid, 'SELECT') AND NOT pg_catalog.row_security_active(c.oid)
        ) AS is_readable
    FROM pg_catalog.pg_class AS c
    WHERE c.relnamespace = n.oid AND c.relname = ANY ($2::text[])
) AS t ON TRUE

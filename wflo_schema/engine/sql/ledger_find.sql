-- one row: where the ledger is or would be, what it looks like, and what the session is like
-- (operators are qualified because the search_path, which says where the ledger is, may hide them)
SELECT
    COALESCE($1, ledger.schema, pg_catalog.current_schema()) AS schema,
    ledger.schema IS NOT NULL AND ledger.is_table AS has_ledger,
    COALESCE(ledger.columns, '') AS columns,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname OPERATOR(pg_catalog.=) COALESCE($1::text, pg_catalog.current_schema()::text)
    ) AS has_schema,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ledger.schema::text
            AND c.relname OPERATOR(pg_catalog.=) '_yoyo_log'::text
            AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::"char"[])
    ) AS has_log,
    (
        SELECT pg_catalog.string_agg(c.relname, ' ' ORDER BY c.relname)
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ledger.schema::text
            AND c.relname OPERATOR(pg_catalog.=) ANY ($2::text[])
            AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::"char"[])
    ) AS own_tables,
    pg_catalog.pg_is_in_recovery() AS is_standby,
    pg_catalog.pg_backend_pid() AS pid,
    CURRENT_USER AS role,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        WHERE n.nspname OPERATOR(pg_catalog.=) ledger.schema::text
            AND c.relname OPERATOR(pg_catalog.=) ANY ('{_yoyo_migration,_yoyo_log}'::text[])
            AND (c.relhastriggers OR c.relhasrules)
    ) AS has_triggers,
    ledger.schema IS NOT NULL AND NOT ledger.is_table AS is_other_kind,
    CASE
        WHEN $4::boolean THEN (
            SELECT pg_catalog.string_agg(n.nspname, pg_catalog.chr(31) ORDER BY n.nspname)
                FROM pg_catalog.pg_class AS c
                JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
                JOIN pg_catalog.pg_attribute AS a
                    ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'migration_hash'::text
                WHERE c.relname OPERATOR(pg_catalog.=) '_yoyo_migration'::text
                    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::"char"[])
                    AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::"char"
                    AND n.nspname OPERATOR(pg_catalog.<>) COALESCE($1, ledger.schema, pg_catalog.current_schema())::text
                    AND pg_catalog.has_schema_privilege(n.oid, 'USAGE')
                    AND pg_catalog.has_table_privilege(c.oid, 'SELECT')
        )
    END AS elsewhere,
    pg_catalog.current_setting('search_path') AS path,
    pg_catalog.current_setting('synchronous_commit') AS synchronous_commit,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
        JOIN pg_catalog.pg_attribute AS a
            ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'log_rows'::text
        WHERE n.nspname OPERATOR(pg_catalog.=) ledger.schema::text
            AND c.relname OPERATOR(pg_catalog.=) '_wflo_schema_progress'::text
    ) AS has_log_rows,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_event_trigger AS e
        WHERE e.evtenabled OPERATOR(pg_catalog.<>) 'D'::"char"
    ) AS has_event_triggers,
    $3::text IS NOT NULL AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_namespace AS n
        WHERE n.nspname OPERATOR(pg_catalog.=) $3::text
    ) AS lacks_schema,
    pg_catalog.to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL AS has_citus
FROM (SELECT) AS one
LEFT JOIN LATERAL (
    SELECT
        n.nspname AS schema,
        c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p}'::"char"[]) AS is_table,
        (
            SELECT pg_catalog.string_agg(a.attname, ' ' ORDER BY a.attnum)
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid
                AND a.attnum OPERATOR(pg_catalog.>) 0
                AND NOT a.attisdropped
        ) AS columns
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    WHERE c.relname OPERATOR(pg_catalog.=) '_yoyo_migration'::text
        AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::"char"[])
        AND c.relpersistence OPERATOR(pg_catalog.<>) 't'::"char"
        AND (
            n.nspname OPERATOR(pg_catalog.=) $1::text
            OR ($1 IS NULL AND pg_catalog.pg_table_is_visible(c.oid))
        )
) AS ledger ON TRUE

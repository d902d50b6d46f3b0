-- one row an INVALID index that an interrupted REINDEX CONCURRENTLY left on a table or beside an index
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
    AND c.relname ~ '_cc(new|old)[0-9]*$'
    AND i.indrelid = COALESCE(
        (SELECT x.indrelid FROM pg_catalog.pg_index AS x WHERE x.indexrelid = pg_catalog.to_regclass($1)),
        pg_catalog.to_regclass($1)
    )
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_stat_progress_create_index AS p
        WHERE p.index_relid = i.indexrelid AND p.datname = pg_catalog.current_database()
    )
ORDER BY 1

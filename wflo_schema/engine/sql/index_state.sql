-- one row: an index of that name in the schema of that table
SELECT
    i.indisvalid AND i.indisready AS is_valid,
    i.indrelid = t.oid AS is_on_table,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_stat_progress_create_index AS p
        WHERE p.index_relid = i.indexrelid AND p.datname = pg_catalog.current_database()
    ) AS is_being_built,
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
FROM pg_catalog.pg_class AS t
JOIN pg_catalog.pg_class AS c ON c.relnamespace = t.relnamespace AND c.relname = $2
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE t.oid = pg_catalog.to_regclass($1)

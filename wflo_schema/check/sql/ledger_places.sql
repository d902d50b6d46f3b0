-- One row: whether the given schema holds a ledger, whether it holds any table, and the first other schema of the
-- search_path that holds a ledger.
SELECT
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %(schema)s AND c.relname = '_yoyo_migration' AND c.relkind IN ('r', 'p')
    ) AS is_here,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_class AS c
        JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = %(schema)s AND c.relkind IN ('r', 'p')
    ) AS has_tables,
    (
        SELECT s.name
        FROM pg_catalog.unnest(%(path)s::text[]) WITH ORDINALITY AS s(name, place)
        JOIN pg_catalog.pg_namespace AS n ON n.nspname = s.name
        JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid
        WHERE c.relname = '_yoyo_migration' AND c.relkind IN ('r', 'p') AND s.name <> %(schema)s
        ORDER BY s.place
        LIMIT 1
    ) AS elsewhere

-- one row: where migrations put what they make without naming a schema, and by which search_path
SELECT
    COALESCE(
        (SELECT n.nspname
         FROM pg_catalog.pg_class AS c
         JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
         WHERE c.relname = '_yoyo_migration'
           AND c.relkind IN ('r', 'p')
           AND c.relpersistence <> 't'
           AND NOT %(is_apart)s
           AND pg_catalog.pg_table_is_visible(c.oid)),
        pg_catalog.current_schema())::text AS schema,
    pg_catalog.current_setting('search_path') AS search_path,
    CURRENT_USER::text AS role

-- One row is one table that bears the name of a migration tool's ledger, with the names of its columns.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attname) AS columns,
    ARRAY(
        SELECT o.relname::text
        FROM pg_catalog.pg_class AS o
        WHERE o.relnamespace = c.relnamespace AND o.relkind IN ('r', 'p')
        ORDER BY o.relname) AS beside
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
WHERE c.relname = ANY (%(names)s::text[])
  AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND (%(schema)s::text IS NULL OR n.nspname IN (%(schema)s::text, 'public') OR n.nspname = ANY (%(homes)s::text[]))
ORDER BY n.nspname, c.relname

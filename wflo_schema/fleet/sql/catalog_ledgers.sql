-- One row is one table that is called as the ledger of some tool is, with its columns.
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
WHERE c.relkind IN ('r', 'p')
  AND c.relname = ANY (%(names)s::text[])
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
ORDER BY n.nspname, c.relname

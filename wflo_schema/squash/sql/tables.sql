-- one row is a table with rows of its own, and its columns; or a sequence, which has none; a heap without a page has no
-- rows; is_filtered, is_hidden: policies, or no right, keep them from this role
SELECT
    n.nspname AS schema,
    c.relname AS name,
    c.relkind = 'S' AS is_sequence,
    c.relkind = 'r' AND pg_catalog.row_security_active(c.oid) AS is_filtered,
    NOT pg_catalog.has_table_privilege(c.oid, 'SELECT') AS is_hidden,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attname) AS columns
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
WHERE c.relkind IN ('r', 'm', 'S')
  AND c.relpersistence <> 't'
  AND (c.relkind <> 'm' OR c.relispopulated)
  AND (c.relkind = 'S' OR pg_catalog.pg_relation_size(c.oid) > 0
    OR c.relam <> (SELECT am.oid FROM pg_catalog.pg_am AS am WHERE am.amname = 'heap'))
  AND n.nspname NOT IN ('pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_toast%%'
  AND c.relname <> ALL (%(ignore)s::text[])
ORDER BY n.nspname, c.relname

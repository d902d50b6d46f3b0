-- One row is one table that bears the name of a migration tool's ledger ($1), with its columns, and all tables of its
-- schema.  $2: only there, and in the schemas $3; NULL: anywhere.  What providers ($4) own does not count, nor, where
-- $5 names the schema of our ledger, another schema with a ledger of ours.
SELECT
    n.nspname AS schema,
    c.relname AS name,
    pg_catalog.array_to_string(ARRAY(
        SELECT a.attname
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attname), pg_catalog.chr(31)) AS columns,
    pg_catalog.array_to_string(ARRAY(
        SELECT o.relname
        FROM pg_catalog.pg_class AS o
        WHERE o.relnamespace = c.relnamespace AND o.relkind IN ('r', 'p')
        ORDER BY o.relname), pg_catalog.chr(31)) AS beside
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
WHERE c.relname = ANY ($1::text[])
  AND c.relkind IN ('r', 'p')
  AND c.relpersistence <> 't'
  AND ($2::text IS NULL OR n.nspname = $2::text OR n.nspname = ANY ($3::text[]))
  AND (pg_catalog.pg_get_userbyid(c.relowner) !~ $4::text OR pg_catalog.pg_get_userbyid(c.relowner) = CURRENT_USER)
  AND ($5::text IS NULL OR n.nspname = $5::text OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS l WHERE l.relnamespace = n.oid AND l.relname = '_yoyo_migration'
  ))
ORDER BY n.nspname, c.relname

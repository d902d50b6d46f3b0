-- one row: a table that bears the name of another tool's ledger ($2), with the names of its columns; $1: in that schema alone;
-- a schema with a ledger of ours counts only where it is $4, that of this run
SELECT
    n.nspname AS schema,
    c.relname AS name,
    pg_catalog.array_to_string(ARRAY(
        SELECT a.attname
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        ORDER BY a.attnum
    ), ' ') AS columns
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relname = ANY ($2::text[])
    AND c.relkind IN ('r', 'p')
    AND c.relpersistence <> 't'
    AND n.nspname = COALESCE($1::text, n.nspname)
    AND (pg_catalog.pg_get_userbyid(c.relowner) !~ $3::text OR pg_catalog.pg_get_userbyid(c.relowner) = CURRENT_USER)
    AND (n.nspname = $4::text OR NOT EXISTS (
        SELECT FROM pg_catalog.pg_class AS l WHERE l.relnamespace = n.oid AND l.relname = '_yoyo_migration'
    ))
ORDER BY n.nspname, c.relname

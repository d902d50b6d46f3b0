-- One row: a check constraint of one of the given relations.
-- The expression is cut from the definition, because pg_get_expr would lock the table.
SELECT
    con.conrelid AS relation,
    con.conname::text AS name,
    substring(
        pg_catalog.pg_get_constraintdef(con.oid) FROM '^CHECK \((.*)\)( NO INHERIT)?( NOT VALID| NOT ENFORCED)?$'
    ) AS expression,
    con.convalidated AS is_validated,
    con.conenforced AS is_enforced
FROM pg_catalog.pg_constraint AS con
WHERE con.contype = 'c' AND con.conrelid = ANY (%(relations)s::oid[])
ORDER BY con.conrelid, con.conname

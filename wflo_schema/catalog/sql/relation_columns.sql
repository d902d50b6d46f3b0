-- One row: a column of one of the given relations.  Its default is asked for apart, because that locks the table.
SELECT
    a.attrelid AS relation,
    a.attnum::integer AS number,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    NOT a.attnotnull AS is_nullable,
    a.attgenerated <> '' AS is_generated,
    a.attcollation AS collation,
    coalesce(pg_catalog.quote_ident(l_n.nspname) || '.' || pg_catalog.quote_ident(l.collname), '') AS collation_name,
    coalesce(l.collisdeterministic, true) AS is_deterministic
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace AS l_n ON l_n.oid = l.collnamespace
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum

-- One row: a column of one of the given relations.  Its default only on request: pg_get_expr locks the table.
SELECT
    a.attrelid AS relation,
    a.attnum::integer AS number,
    a.attname::text AS name,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    NOT a.attnotnull AS is_nullable,
    a.attcollation AS collation,
    coalesce(pg_catalog.quote_ident(l_n.nspname) || '.' || pg_catalog.quote_ident(l.collname), '') AS collation_name,
    coalesce(l.collisdeterministic, true) AS is_deterministic,
    CASE WHEN %(defaults)s AND a.attgenerated = '' THEN pg_catalog.pg_get_expr(d.adbin, d.adrelid) END AS "default"
FROM pg_catalog.pg_attribute AS a
LEFT JOIN pg_catalog.pg_collation AS l ON l.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace AS l_n ON l_n.oid = l.collnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attrelid, a.attnum

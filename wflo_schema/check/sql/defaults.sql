-- One row: the default of a column of the given relations.  This locks their tables as any query does.
SELECT
    d.adrelid AS relation,
    d.adnum::integer AS number,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid) AS "default"
FROM pg_catalog.pg_attrdef AS d
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = ANY (%(relations)s::oid[]) AND a.attgenerated = ''
ORDER BY d.adrelid, d.adnum

-- One row is one column of a table, in their order.
SELECT
    a.attname::text AS name,
    a.attnum::integer AS number,
    pg_catalog.format_type(a.atttypid, a.atttypmod) AS type,
    a.attnotnull AS is_not_null,
    COALESCE(nn.conname::text, '') AS not_null_name,
    COALESCE(nn.convalidated, true) AS is_not_null_valid,
    CASE WHEN a.attgenerated = '' THEN COALESCE(pg_catalog.pg_get_expr(ad.adbin, ad.adrelid), '') ELSE '' END
    AS "default",
    CASE WHEN a.attgenerated <> '' THEN pg_catalog.pg_get_expr(ad.adbin, ad.adrelid) ELSE '' END AS generated,
    a.attidentity::text AS identity,
    CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::pg_catalog.regcollation::text ELSE '' END
    AS "collation",
    COALESCE(pg_catalog.pg_get_serial_sequence(a.attrelid::pg_catalog.regclass::text, a.attname), '') AS sequence,
    a.attinhcount > 0 AS is_inherited,
    a.attacl IS NOT NULL AS has_grants,
    COALESCE(pg_catalog.col_description(a.attrelid, a.attnum), '') AS comment
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON (t.oid OPERATOR(pg_catalog.=) a.atttypid)
LEFT JOIN pg_catalog.pg_attrdef AS ad ON (ad.adrelid OPERATOR(pg_catalog.=) a.attrelid AND ad.adnum = a.attnum)
LEFT JOIN pg_catalog.pg_constraint AS nn
    ON (nn.conrelid OPERATOR(pg_catalog.=) a.attrelid AND nn.contype = 'n' AND nn.conkey[1] = a.attnum)
WHERE a.attrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attnum

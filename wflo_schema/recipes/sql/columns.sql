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
    CASE a.attgenerated
        WHEN '' THEN ''
        ELSE pg_catalog.concat(
            '(', pg_catalog.pg_get_expr(ad.adbin, ad.adrelid),
            CASE a.attgenerated WHEN 's' THEN ') STORED' ELSE ') VIRTUAL' END)
    END AS generated,
    a.attidentity::text AS identity,
    CASE WHEN a.attcollation <> t.typcollation THEN a.attcollation::pg_catalog.regcollation::text ELSE '' END
    AS "collation",
    COALESCE(qc.relname::text, '') AS sequence,
    a.attinhcount > 0 AS is_inherited,
    CASE WHEN q.seqrelid IS NULL THEN '' ELSE
        pg_catalog.concat(
            'START WITH ' || q.seqstart || ' INCREMENT BY ' || q.seqincrement,
            ' MINVALUE ' || NULLIF(q.seqmin, l.lowest),
            ' MAXVALUE ' || NULLIF(q.seqmax, l.highest),
            ' CACHE ' || q.seqcache,
            CASE WHEN q.seqcycle THEN ' CYCLE' END)
    END AS sequence_options,
    COALESCE(pg_catalog.format_type(q.seqtypid, NULL), '') AS sequence_type
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON (t.oid OPERATOR(pg_catalog.=) a.atttypid)
LEFT JOIN pg_catalog.pg_attrdef AS ad ON (ad.adrelid OPERATOR(pg_catalog.=) a.attrelid AND ad.adnum = a.attnum)
LEFT JOIN pg_catalog.pg_constraint AS nn
    ON (nn.conrelid OPERATOR(pg_catalog.=) a.attrelid AND nn.contype = 'n' AND nn.conkey[1] = a.attnum)
LEFT JOIN pg_catalog.pg_sequence AS q
    ON (q.seqrelid OPERATOR(pg_catalog.=)
        pg_catalog.pg_get_serial_sequence(a.attrelid::pg_catalog.regclass::text, a.attname)::pg_catalog.regclass)
LEFT JOIN pg_catalog.pg_class AS qc ON (qc.oid OPERATOR(pg_catalog.=) q.seqrelid)
LEFT JOIN LATERAL (
    SELECT
        CASE q.seqtypid WHEN 21 THEN 32767 WHEN 23 THEN 2147483647 ELSE 9223372036854775807 END AS highest,
        CASE q.seqtypid WHEN 21 THEN -32768 WHEN 23 THEN -2147483648 ELSE -9223372036854775808 END AS lowest
    ) AS l ON (true)
WHERE a.attrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
  AND a.attnum > 0
  AND NOT a.attisdropped
ORDER BY a.attnum

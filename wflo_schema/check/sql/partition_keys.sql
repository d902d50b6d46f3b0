-- One row: a column by which one of the given tables is partitioned; empty where an expression stands.
SELECT
    p.partrelid AS relation,
    coalesce(a.attname::text, '') AS name
FROM pg_catalog.pg_partitioned_table AS p
CROSS JOIN LATERAL pg_catalog.unnest(p.partattrs::smallint[]) AS k(attnum)
LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = p.partrelid AND a.attnum = k.attnum AND k.attnum > 0
WHERE p.partrelid = ANY (%(relations)s::oid[])
ORDER BY p.partrelid, k.attnum

-- one row: a foreign key of one of these names, its table and one that it points to, each partition by itself
SELECT
    k.conname::text AS name,
    k.conrelid::text AS of,
    coalesce(p.relid::pg_catalog.oid, k.confrelid)::text AS other
FROM pg_catalog.pg_constraint AS k
LEFT JOIN LATERAL pg_catalog.pg_partition_tree(k.confrelid::pg_catalog.regclass) AS p ON p.isleaf
WHERE k.contype OPERATOR(pg_catalog.=) 'f'
    AND k.conname::text OPERATOR(pg_catalog.=) ANY (
        ARRAY(SELECT pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb))
    )
ORDER BY 1, 2, 3

-- one row: a foreign key of a table that this transaction holds, and one that it points to, each partition by itself
SELECT
    k.conname::text AS name,
    k.conrelid::text AS of,
    coalesce(p.relid::pg_catalog.oid, k.confrelid)::text AS other
FROM pg_catalog.pg_constraint AS k
LEFT JOIN LATERAL pg_catalog.pg_partition_tree(k.confrelid::pg_catalog.regclass) AS p ON p.isleaf
WHERE k.contype OPERATOR(pg_catalog.=) 'f'
    AND k.conrelid OPERATOR(pg_catalog.=) ANY (ARRAY(
        SELECT l.relation FROM pg_catalog.pg_locks AS l
        WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'
            AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
            AND l.relation OPERATOR(pg_catalog.>=) 16384
    ))
ORDER BY 1, 2, 3

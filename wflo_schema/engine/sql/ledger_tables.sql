-- one row: a table of the ledger of a schema of $1 whose key is a lock, and what keeps that key from being one
-- (operators are qualified because the search_path may hide them)
SELECT
    n.nspname AS schema,
    c.relname AS name,
    CASE
        WHEN c.relkind OPERATOR(pg_catalog.<>) 'r'::"char" THEN 'kind'
        WHEN c.relpersistence OPERATOR(pg_catalog.=) 'u'::"char" THEN 'unlogged'
        WHEN child.name IS NOT NULL THEN 'child'
        WHEN NOT COALESCE(locks.is_whole, FALSE) THEN 'key'
        WHEN NOT a.attnotnull THEN 'nullable'
        WHEN pg_catalog.row_security_active(c.oid) THEN 'policies'
        ELSE ''
    END AS flaw,
    COALESCE(child.name, pg_catalog.quote_ident(pk.conname), '') AS detail
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'migration_hash'::text
LEFT JOIN pg_catalog.pg_constraint AS pk
    ON pk.conrelid OPERATOR(pg_catalog.=) c.oid AND pk.contype OPERATOR(pg_catalog.=) 'p'::"char"
LEFT JOIN LATERAL (
    SELECT TRUE AS is_whole
    FROM pg_catalog.pg_index AS i
    WHERE i.indrelid OPERATOR(pg_catalog.=) c.oid
        AND i.indisunique AND i.indimmediate AND i.indisvalid AND i.indisready AND i.indislive
        AND i.indpred IS NULL
        AND i.indnkeyatts OPERATOR(pg_catalog.=) 1::smallint
        AND i.indkey[0] OPERATOR(pg_catalog.=) a.attnum
    LIMIT 1
) AS locks ON TRUE
LEFT JOIN LATERAL (
    SELECT pg_catalog.quote_ident(cn.nspname) OPERATOR(pg_catalog.||) '.'::text
        OPERATOR(pg_catalog.||) pg_catalog.quote_ident(cc.relname) AS name
    FROM pg_catalog.pg_inherits AS h
    JOIN pg_catalog.pg_class AS cc ON cc.oid OPERATOR(pg_catalog.=) h.inhrelid
    JOIN pg_catalog.pg_namespace AS cn ON cn.oid OPERATOR(pg_catalog.=) cc.relnamespace
    WHERE h.inhparent OPERATOR(pg_catalog.=) c.oid
    ORDER BY cc.relname
    LIMIT 1
) AS child ON TRUE
WHERE n.nspname OPERATOR(pg_catalog.=) ANY ($1::text[])
    AND c.relname OPERATOR(pg_catalog.=) ANY ('{_yoyo_migration,_wflo_schema_progress}'::text[])
    AND c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::"char"[])
ORDER BY n.nspname, c.relname

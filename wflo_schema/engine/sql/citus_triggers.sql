-- one row: whether somebody's trigger or rule is on a table of the ledger in schema $1; each distributed table has one of
-- Citus's own
SELECT pg_catalog.bool_or(c.relhasrules OR t.oid IS NOT NULL) AS has_triggers
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_trigger AS t ON t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal
WHERE n.nspname OPERATOR(pg_catalog.=) $1::text
    AND c.relname OPERATOR(pg_catalog.=) ANY ('{_yoyo_migration,_yoyo_log}'::text[])

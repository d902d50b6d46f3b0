-- one row: a relation of the database, as relations.sql has it, with how often it was scanned by all that was committed
SELECT
    c.oid::text AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_catalog.pg_relation_filenode(c.oid)::text AS filenode,
    c.reltablespace::text AS tablespace,
    i.indrelid::text AS table_of_index,
    c.relispopulated::text AS is_populated,
    '' AS mode,
    pg_catalog.pg_stat_get_numscans(c.oid)::text AS scans
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
WHERE c.oid OPERATOR(pg_catalog.>=) 16384
    AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\_toast%'
    AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\_temp\_%'
ORDER BY c.oid

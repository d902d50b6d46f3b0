-- one row: a relation of the database, with its name, kind, file, tablespace, and the table that an index is of
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
    '0' AS scans
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE c.oid >= 16384 AND n.nspname NOT LIKE 'pg\_toast%' AND n.nspname NOT LIKE 'pg\_temp\_%'

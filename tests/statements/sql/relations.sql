-- One row for each relation of a database that is not one of PostgreSQL itself: its file, and the bytes in it.
SELECT
    c.oid AS oid,
    n.nspname || '.' || c.relname AS name,
    c.relkind::pg_catalog.text AS kind,
    coalesce(pg_catalog.pg_relation_filenode(c.oid), 0) AS file,
    CASE WHEN c.relkind IN ('r', 'm', 'i') THEN coalesce(pg_catalog.pg_relation_size(c.oid), 0) ELSE 0 END AS size,
    i.indrelid AS table_oid
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid = c.oid
WHERE
    n.nspname !~ '^pg_'
    AND n.nspname <> 'information_schema'
    AND c.relkind IN ('r', 'p', 'm', 'v', 'i', 'I', 'S', 'f')
ORDER BY c.oid

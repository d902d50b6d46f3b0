-- one row: a mode in which this transaction holds a relation, as relations.sql has that, and how often it was scanned
SELECT
    l.relation::text AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    pg_catalog.pg_relation_filenode(c.oid)::text AS filenode,
    c.reltablespace::text AS tablespace,
    i.indrelid::text AS table_of_index,
    c.relispopulated::text AS is_populated,
    l.mode AS mode,
    pg_catalog.pg_stat_get_xact_numscans(l.relation)::text AS scans
FROM pg_catalog.pg_locks AS l
LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) l.relation
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'
    AND l.granted
    AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
    AND l.relation OPERATOR(pg_catalog.>=) 16384

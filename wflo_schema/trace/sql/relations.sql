-- one row: a relation of the database, with its name, kind, file, tablespace, and the table that an index is of; with
-- $1 none, unless this transaction has changed a schema, whose relations it need not have locked
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
    pg_catalog.pg_stat_get_xact_numscans(c.oid)::text AS scans
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
WHERE c.oid OPERATOR(pg_catalog.>=) 16384
    AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\_toast%'
    AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\_temp\_%'
    AND (
        NOT $1::pg_catalog.bool
        OR EXISTS (
            SELECT FROM pg_catalog.pg_locks AS l
            WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'
                AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
                AND l.relation OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                AND l.mode OPERATOR(pg_catalog.=) 'RowExclusiveLock'
        )
    )
ORDER BY c.oid

-- one row: a table of these oids, a partition or an index of one, as relations.sql has it, with how often it was scanned
-- by all that was committed; without oids, every relation of the database
WITH RECURSIVE tables AS (
    SELECT t.oid FROM pg_catalog.unnest($1::pg_catalog.oid[]) AS t (oid)
    UNION
    SELECT h.inhrelid
    FROM tables AS t
    JOIN pg_catalog.pg_inherits AS h ON h.inhparent OPERATOR(pg_catalog.=) t.oid
),
wanted AS (
    SELECT t.oid FROM tables AS t
    UNION
    SELECT x.indexrelid
    FROM tables AS t
    JOIN pg_catalog.pg_index AS x ON x.indrelid OPERATOR(pg_catalog.=) t.oid
    UNION
    SELECT c.oid FROM pg_catalog.pg_class AS c WHERE $1 IS NULL AND c.oid OPERATOR(pg_catalog.>=) 16384
)
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
FROM wanted AS w
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) w.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
LEFT JOIN pg_catalog.pg_index AS i ON i.indexrelid OPERATOR(pg_catalog.=) c.oid
WHERE n.nspname OPERATOR(pg_catalog.!~~) 'pg\_toast%' AND n.nspname OPERATOR(pg_catalog.!~~) 'pg\_temp\_%'
ORDER BY c.oid

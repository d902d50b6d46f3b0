-- One row: one of the given tables that Citus keeps, and how.
-- "column" is the one that says to which shard a row goes, empty for none.
-- Tables of one "colocation" have their shards side by side; in a distributed schema it is that of the schema.
SELECT
    c.oid AS relation,
    n.nspname::text AS schema,
    CASE
        WHEN s.schemaid IS NOT NULL THEN 'schema'
        WHEN p.repmodel = 't' THEN 'reference'
        WHEN p.partmethod = 'n' AND p.colocationid = 0 THEN 'local'
        WHEN p.partmethod = 'n' THEN 'single shard'
        WHEN p.partmethod = 'r' THEN 'range'
        WHEN p.partmethod = 'a' THEN 'append'
        ELSE 'hash'
    END AS kind,
    coalesce(pg_catalog.column_to_column_name(p.logicalrelid, p.partkey), '') AS "column",
    p.colocationid AS colocation,
    (SELECT count(*)::integer FROM pg_catalog.pg_dist_shard AS d WHERE d.logicalrelid = p.logicalrelid) AS shards
FROM pg_catalog.pg_dist_partition AS p
JOIN pg_catalog.pg_class AS c ON c.oid = p.logicalrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_dist_schema AS s ON s.colocationid = p.colocationid
WHERE c.oid = ANY (%(relations)s::oid[])
ORDER BY c.oid

-- One row is one table that Citus keeps, and how; or one schema that it distributes, where all schemas are read.
-- A partition is kept as its table, and one of a distributed schema as that schema: neither is a row.
-- A table is colocated with the first of its schema whose shards are placed with its own.
WITH kept AS MATERIALIZED (
    SELECT
        n.nspname::text AS schema,
        c.relname::text AS name,
        p.colocationid AS colocation,
        p.partmethod = 'h' AS is_hashed,
        CASE
            WHEN p.repmodel = 't' THEN 'REFERENCE'
            WHEN p.partmethod = 'n' AND p.colocationid = 0 THEN 'LOCAL'
            WHEN p.partmethod = 'n' THEN 'SINGLE SHARD'
            ELSE CASE p.partmethod WHEN 'h' THEN 'HASH' WHEN 'r' THEN 'RANGE' ELSE 'APPEND' END
                || ' (' || pg_catalog.quote_ident(pg_catalog.column_to_column_name(p.logicalrelid, p.partkey)) || ')'
        END AS distribution,
        (SELECT pg_catalog.count(*) FROM pg_catalog.pg_dist_shard AS d WHERE d.logicalrelid = p.logicalrelid) AS shards
    FROM pg_catalog.pg_dist_partition AS p
    JOIN pg_catalog.pg_class AS c ON (c.oid = p.logicalrelid)
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
    WHERE (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
      AND NOT c.relispartition
      AND NOT p.autoconverted
      AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_dist_schema AS s WHERE s.colocationid = p.colocationid)
)
SELECT
    'table' AS kind,
    ARRAY[k.schema, k.name]::text[] AS path,
    k.distribution AS distribution,
    (SELECT pg_catalog.quote_ident(k.schema) || '.' || pg_catalog.quote_ident(pg_catalog.min(f.name COLLATE "C"))
     FROM kept AS f
     WHERE f.schema = k.schema AND f.colocation = k.colocation AND k.distribution NOT IN ('REFERENCE', 'LOCAL')
     HAVING pg_catalog.min(f.name COLLATE "C") < k.name COLLATE "C") AS colocated_with,
    CASE WHEN k.is_hashed THEN k.shards::text END AS shard_count,
    NULL AS distributed
FROM kept AS k
UNION ALL
SELECT
    'schema',
    ARRAY[n.nspname]::text[],
    NULL,
    NULL,
    NULL,
    'DISTRIBUTED'
FROM pg_catalog.pg_dist_schema AS s
JOIN pg_catalog.pg_namespace AS n ON (n.oid = s.schemaid)
WHERE %(schemas)s::text[] IS NULL
ORDER BY 1, 2

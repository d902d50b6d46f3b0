-- One row: a copy of a shard of one of the given tables on one node.  "range" is the same for shards side by side.
-- "index_names" are the names that the table's valid "indexes" have on that shard.
SELECT
    s.logicalrelid::oid AS relation,
    s.shardid AS shard,
    coalesce(s.shardminvalue, '') AS range,
    pg_catalog.shard_name(s.logicalrelid, s.shardid) AS name,
    ARRAY(
        SELECT x.indexrelid
        FROM pg_catalog.pg_index AS x
        WHERE x.indrelid = s.logicalrelid AND x.indisvalid AND x.indisready AND x.indislive
        ORDER BY x.indexrelid
    ) AS indexes,
    ARRAY(
        SELECT pg_catalog.shard_name(x.indexrelid, s.shardid)
        FROM pg_catalog.pg_index AS x
        WHERE x.indrelid = s.logicalrelid AND x.indisvalid AND x.indisready AND x.indislive
        ORDER BY x.indexrelid
    ) AS index_names,
    n.nodename::text AS node,
    n.nodeport AS port
FROM pg_catalog.pg_dist_shard AS s
JOIN pg_catalog.pg_dist_placement AS p ON p.shardid = s.shardid
JOIN pg_catalog.pg_dist_node AS n ON n.groupid = p.groupid AND n.noderole = 'primary'
WHERE s.logicalrelid = ANY (%(relations)s::oid[])
ORDER BY s.logicalrelid::oid, s.shardid, n.nodename, n.nodeport

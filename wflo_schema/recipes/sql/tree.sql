-- One row is one table below a table, its partitions or children, each after its parent.
WITH RECURSIVE tree(oid, parent, depth) AS (
    SELECT i.inhrelid, i.inhparent, 1
    FROM pg_catalog.pg_inherits AS i
    WHERE i.inhparent OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
    UNION ALL
    SELECT i.inhrelid, i.inhparent, tree.depth + 1
    FROM tree
    JOIN pg_catalog.pg_inherits AS i ON (i.inhparent OPERATOR(pg_catalog.=) tree.oid)
)
SELECT
    tree.oid::bigint AS oid,
    tree.parent::bigint AS parent,
    pg_catalog.min(tree.depth) AS depth
FROM tree
GROUP BY tree.oid, tree.parent
ORDER BY 3, 1

-- One row: one of the given relations, or one that descends from it as a partition or by inheritance.
-- "root" is the given relation; a row with root = oid is that relation itself.
WITH RECURSIVE tree(root, oid, is_partition) AS (
    SELECT
        c.oid AS root,
        c.oid AS oid,
        false AS is_partition
    FROM pg_catalog.pg_class AS c
    WHERE c.oid = ANY (%(roots)s::oid[])
    UNION
    SELECT
        tree.root AS root,
        i.inhrelid AS oid,
        c.relispartition AS is_partition
    FROM tree
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = tree.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid
    WHERE c.relkind IN ('r', 'p', 'f')
)
SELECT
    tree.root AS root,
    c.oid AS oid,
    n.nspname::text AS schema,
    c.relname::text AS name,
    c.relkind::text AS kind,
    c.relpersistence::text AS persistence,
    tree.is_partition AS is_partition,
    c.relhastriggers AS has_triggers,
    pg_catalog.pg_get_userbyid(c.relowner)::text AS owner,
    pg_catalog.has_schema_privilege(c.relowner, n.oid, 'USAGE') AS owner_has_usage,
    pg_catalog.has_any_column_privilege(c.relowner, c.oid, 'SELECT') AS owner_has_select,
    pg_catalog.has_any_column_privilege(c.relowner, c.oid, 'UPDATE') AS owner_has_update,
    pg_catalog.has_table_privilege(c.relowner, c.oid, 'DELETE') AS owner_has_delete
FROM tree
JOIN pg_catalog.pg_class AS c ON c.oid = tree.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S', 'i', 'I', 'c')
ORDER BY tree.root, c.oid, tree.is_partition

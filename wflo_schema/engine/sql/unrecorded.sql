-- one row: how many objects of one kind a schema holds that nothing here has recorded, and the names of a few; no row
-- once a run has recorded something.  $1: the schema that was named, $2: the ledger's tables, $3: roles of providers
WITH places AS (
    SELECT
        n.oid,
        n.nspname,
        CASE WHEN $1::text IS NULL THEN n.nspname = ANY (pg_catalog.current_schemas(FALSE)) ELSE n.nspname = $1::text END
            AS is_target
    FROM pg_catalog.pg_namespace AS n
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
), objects AS (
    SELECT
        c.tableoid,
        c.oid,
        c.relnamespace AS place,
        c.relname AS name,
        c.relowner AS owner,
        CASE c.relkind WHEN 'f' THEN 'foreign table' WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view'
            WHEN 'S' THEN 'sequence' ELSE 'table' END AS kind
    FROM pg_catalog.pg_class AS c
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
        AND NOT c.relispartition
        AND c.relname <> ALL ($2::text[])
        AND NOT EXISTS (
            SELECT 1
            FROM pg_catalog.pg_depend AS d
            WHERE c.relkind = 'S' AND d.classid = c.tableoid AND d.objid = c.oid AND d.deptype IN ('a', 'i')
        )
    UNION ALL
    SELECT p.tableoid, p.oid, p.pronamespace, p.proname, p.proowner, 'function'
    FROM pg_catalog.pg_proc AS p
    UNION ALL
    SELECT t.tableoid, t.oid, t.typnamespace, t.typname, t.typowner, 'type'
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c'
)
SELECT
    places.nspname AS schema,
    places.is_target,
    o.kind,
    pg_catalog.count(*) AS count,
    pg_catalog.array_to_string((pg_catalog.array_agg(o.name ORDER BY o.name))[1:3], ', ') AS names
FROM objects AS o
JOIN places ON places.oid = o.place
WHERE {nothing_recorded}
    AND (places.is_target OR $1 IS NULL)
    -- what is older than the database came with the template; what may hold rows counts all the same
    AND (
        o.kind IN ('table', 'foreign table', 'materialized view')
        OR o.oid > (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
    )
    AND (pg_catalog.pg_get_userbyid(o.owner) !~ $3::text OR pg_catalog.pg_get_userbyid(o.owner) = CURRENT_USER)
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = o.tableoid AND d.objid = o.oid AND d.deptype = 'e'
    )
    AND (places.is_target OR NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_class AS l WHERE l.relnamespace = places.oid AND l.relname = '_yoyo_migration'
    ))
GROUP BY places.nspname, places.is_target, o.kind
ORDER BY places.is_target DESC, places.nspname, o.kind = 'table' DESC, o.kind

-- One row is one object of a kind that partitions have clones of; a clone goes by the name of what it was cloned from:
-- PostgreSQL's own names for them vary.
SELECT
    CASE WHEN c.is_clone THEN 'inherited ' ELSE '' END || f.kind AS kind,
    CASE
        WHEN c.is_beside THEN ARRAY[c.schema, c.relation, c.name, 'beside']
        WHEN c.is_clone THEN ARRAY[f.path[1], f.path[2], c.name]
        ELSE f.path
    END AS path,
    CASE
        WHEN c.is_beside THEN pg_catalog.jsonb_build_object(
            'triggers', pg_catalog.concat(f.attributes ->> 'referenced_table', ': ', f.attributes ->> 'triggers'))
        WHEN c.is_clone THEN
            (f.attributes - %(left_out)s::text[]) || pg_catalog.jsonb_build_object('kind', 'inherited ' || f.kind)
        ELSE f.attributes - %(left_out)s::text[]
    END AS attributes
FROM (
    SELECT q.kind, q.path, q.parent_oid, pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(q)) AS attributes
    FROM (
{query}
    ) AS q
    OFFSET 0) AS f
LEFT JOIN LATERAL (
    WITH RECURSIVE up(oid, place) AS (
        SELECT (f.attributes ->> 'object_oid')::oid, 0
        WHERE f.parent_oid <> 0
        UNION ALL
        SELECT above.oid, up.place + 1
        FROM up
        JOIN LATERAL (
            SELECT p.oid
            FROM pg_catalog.pg_constraint AS con
            JOIN pg_catalog.pg_constraint AS p ON (p.oid = con.conparentid)
            WHERE f.kind = 'constraint'
              AND con.oid = up.oid
              AND (p.connamespace = con.connamespace OR %(schemas)s::text[] IS NULL)
            UNION ALL
            SELECT p.oid
            FROM pg_catalog.pg_inherits AS i
            JOIN pg_catalog.pg_class AS ic ON (ic.oid = i.inhrelid)
            JOIN pg_catalog.pg_class AS p ON (p.oid = i.inhparent)
            WHERE f.kind = 'index'
              AND i.inhrelid = up.oid
              AND (p.relnamespace = ic.relnamespace OR %(schemas)s::text[] IS NULL)) AS above ON (true)
    )
    SELECT
        up.place > 0 AS is_clone,
        con.confrelid <> (f.attributes ->> 'referenced_oid')::oid AS is_beside,
        n.nspname::text AS schema,
        cc.relname::text AS relation,
        COALESCE(con.conname, ic.relname)::text AS name
    FROM up
    LEFT JOIN pg_catalog.pg_constraint AS con ON (f.kind = 'constraint' AND con.oid = up.oid)
    LEFT JOIN pg_catalog.pg_class AS cc ON (cc.oid = con.conrelid)
    LEFT JOIN pg_catalog.pg_namespace AS n ON (n.oid = cc.relnamespace)
    LEFT JOIN pg_catalog.pg_class AS ic ON (f.kind = 'index' AND ic.oid = up.oid)
    ORDER BY up.place DESC
    LIMIT 1) AS c ON (true)
WHERE (c.is_beside AND NOT f.attributes ? 'triggers') IS NOT TRUE

-- one row: a relation of these names, with its rows and bytes, those of its partitions added up; with $pages, by the
-- pages that were counted last, so that nobody's lock is in the way
WITH RECURSIVE wanted AS (
    SELECT w.name, n.nspname AS schema, c.relname AS bare, c.oid, c.relkind AS kind
    FROM pg_catalog.unnest(%(names)s::text[]) AS w (name)
    CROSS JOIN LATERAL pg_catalog.parse_ident(w.name) AS p (parts)
    JOIN pg_catalog.pg_namespace AS n ON n.nspname = p.parts[1]
    JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = p.parts[2]
),
tree AS (
    SELECT w.name, w.oid, 0 AS level
    FROM wanted AS w
    UNION ALL
    SELECT t.name, i.inhrelid, t.level + 1
    FROM tree AS t
    JOIN pg_catalog.pg_inherits AS i ON i.inhparent = t.oid
    JOIN pg_catalog.pg_class AS c ON c.oid = i.inhrelid AND c.relispartition
),
files AS (
    SELECT
        t.name,
        t.level,
        pg_catalog.format('%%I.%%I', n.nspname, c.relname) AS full_name,
        c.reltuples,
        c.relpages,
        pg_catalog.pg_stat_get_live_tuples(c.oid) AS live_rows,
        CASE
            WHEN %(pages)s THEN c.relpages::bigint * block.size ELSE pg_catalog.pg_relation_size(c.oid)
        END AS bytes,
        (
            SELECT
                CASE
                    WHEN %(pages)s THEN pg_catalog.sum(o.relpages::bigint * block.size)
                    ELSE pg_catalog.sum(pg_catalog.pg_relation_size(o.oid))
                END
            FROM pg_catalog.pg_class AS o
            WHERE o.oid = c.reltoastrelid
                OR o.oid IN (SELECT x.indexrelid FROM pg_catalog.pg_index AS x WHERE x.indrelid = c.reltoastrelid)
        ) AS toast_bytes,
        (
            SELECT
                CASE
                    WHEN %(pages)s THEN pg_catalog.sum(o.relpages::bigint * block.size)
                    ELSE pg_catalog.sum(pg_catalog.pg_relation_size(o.oid))
                END
            FROM pg_catalog.pg_index AS x
            JOIN pg_catalog.pg_class AS o ON o.oid = x.indexrelid
            WHERE x.indrelid = c.oid
        ) AS index_bytes,
        (
            SELECT pg_catalog.count(*)
            FROM pg_catalog.pg_index AS x
            WHERE x.indrelid = c.oid
        ) AS indexes,
        c.relkind IN ('r', 'm', 't', 'i') AS has_file
    FROM tree AS t
    JOIN pg_catalog.pg_class AS c ON c.oid = t.oid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint) AS block (size)
)
SELECT
    w.name AS relation,
    w.schema::text AS schema,
    w.bare::text AS name,
    w.kind::text AS kind,
    CASE
        WHEN pg_catalog.bool_or(f.reltuples < 0 AND f.live_rows = 0 AND f.has_file AND (f.bytes > 0 OR %(pages)s)) THEN NULL
        ELSE COALESCE(
            pg_catalog.sum(
                CASE
                    WHEN NOT f.has_file OR (f.bytes = 0 AND NOT %(pages)s) THEN 0
                    WHEN f.reltuples < 0 THEN f.live_rows
                    WHEN f.relpages = 0 THEN f.reltuples
                    ELSE f.reltuples::double precision / f.relpages * (f.bytes / block.size)
                END
            ),
            0
        )::bigint
    END AS rows,
    COALESCE(pg_catalog.sum(f.bytes) FILTER (WHERE f.has_file), 0)::bigint AS bytes,
    COALESCE(pg_catalog.sum(f.toast_bytes), 0)::bigint AS toast_bytes,
    COALESCE(pg_catalog.sum(f.index_bytes) FILTER (WHERE f.has_file), 0)::bigint AS index_bytes,
    pg_catalog.max(f.indexes) AS indexes,
    pg_catalog.count(*) FILTER (WHERE f.level > 0 AND f.has_file) AS partitions,
    NOT %(pages)s AS is_measured,
    COALESCE(
        pg_catalog.array_agg(f.full_name ORDER BY f.full_name) FILTER (WHERE f.level > 0), ARRAY[]::text[]
    ) AS parts
FROM wanted AS w
JOIN files AS f ON f.name = w.name
CROSS JOIN (SELECT pg_catalog.current_setting('block_size')::bigint) AS block (size)
GROUP BY w.name, w.schema, w.bare, w.kind
ORDER BY w.name

-- one row: an INVALID index that an interrupted REINDEX CONCURRENTLY left; $1: of a relation, schema or database
WITH reindexed AS (
    SELECT c.oid AS relid, c.reltoastrelid AS toast
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    WHERE $1::text = 'database'
        OR ($1::text = 'schema' AND n.nspname = $2::text)
        OR (
            $1::text = 'relation'
            AND c.oid IN (
                SELECT COALESCE(x.indrelid, named.relid)
                FROM (
                    SELECT pg_catalog.to_regclass($2::text)::oid AS relid
                    UNION
                    SELECT t.relid::oid
                    FROM pg_catalog.pg_partition_tree(pg_catalog.to_regclass($2::text)) AS t
                ) AS named
                LEFT JOIN pg_catalog.pg_index AS x ON x.indexrelid = named.relid
            )
        )
)
SELECT pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS name
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid = i.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.indisvalid
    AND c.relname ~ '_cc(new|old)[0-9]*$'
    AND i.indrelid IN (SELECT r.relid FROM reindexed AS r UNION ALL SELECT r.toast FROM reindexed AS r)
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_stat_progress_create_index AS p
        WHERE p.datname = pg_catalog.current_database()
            AND (p.index_relid = i.indexrelid OR p.relid = i.indrelid)
    )
ORDER BY 1

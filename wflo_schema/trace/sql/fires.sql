-- one row: a key whose action, or a trigger whose function, is run for a row that changes of a table that this
-- transaction holds for changes; with the columns on whose change that depends, none where it depends on more
WITH RECURSIVE held AS MATERIALIZED (
    SELECT pg_catalog.array_agg(l.relation) AS oids
    FROM pg_catalog.pg_locks AS l
    WHERE l.locktype OPERATOR(pg_catalog.=) 'relation'
        AND l.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()
        AND l.relation OPERATOR(pg_catalog.>=) 16384
        AND l.mode OPERATOR(pg_catalog.=) 'RowExclusiveLock'
),
keys AS (
    -- by their triggers, as no index leads from a table to the keys that point to it; a partition's key has its parent's
    SELECT t.tgconstraint AS oid
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgisinternal AND t.tgrelid OPERATOR(pg_catalog.=) ANY ((SELECT h.oids FROM held AS h)::pg_catalog.oid[])
    UNION
    SELECT c.oid
    FROM keys AS k
    JOIN pg_catalog.pg_constraint AS c ON c.conparentid OPERATOR(pg_catalog.=) k.oid
)
SELECT
    k.confrelid::text AS of,
    'key' AS what,
    k.conname::text AS name,
    k.conrelid::text AS other,
    k.confdeltype::text AS on_delete,
    k.confupdtype::text AS on_update,
    '0' AS events,
    EXISTS (
        SELECT FROM pg_catalog.pg_index AS i
        WHERE i.indrelid OPERATOR(pg_catalog.=) k.conrelid
            AND i.indisvalid
            AND i.indpred IS NULL
            AND i.indkey[0] OPERATOR(pg_catalog.=) ANY (k.conkey)
    )::text AS is_indexed,
    (
        SELECT CASE WHEN NOT pg_catalog.bool_or(a.attgenerated OPERATOR(pg_catalog.<>) '')
            THEN pg_catalog.json_agg(a.attname)::text END
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid OPERATOR(pg_catalog.=) k.confrelid AND a.attnum OPERATOR(pg_catalog.=) ANY (k.confkey)
    ) AS columns
FROM keys
JOIN pg_catalog.pg_constraint AS k ON k.oid OPERATOR(pg_catalog.=) keys.oid
WHERE k.contype OPERATOR(pg_catalog.=) 'f' AND k.confrelid OPERATOR(pg_catalog.=) ANY ((SELECT h.oids FROM held AS h)::pg_catalog.oid[])
UNION ALL
SELECT
    t.tgrelid::text,
    'trigger',
    t.tgname::text,
    NULL,
    NULL,
    NULL,
    t.tgtype::text,
    NULL,
    (
        SELECT pg_catalog.json_agg(a.attname)::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid OPERATOR(pg_catalog.=) t.tgrelid
            AND a.attnum OPERATOR(pg_catalog.=) ANY (t.tgattr::pg_catalog.int2[])
    )
FROM pg_catalog.pg_trigger AS t
WHERE NOT t.tgisinternal
    AND t.tgrelid OPERATOR(pg_catalog.=) ANY ((SELECT h.oids FROM held AS h)::pg_catalog.oid[])
    AND t.tgenabled OPERATOR(pg_catalog.<>) 'D'
    AND (t.tgtype::integer OPERATOR(pg_catalog.&) 1) OPERATOR(pg_catalog.=) 1
ORDER BY 1, 2, 3

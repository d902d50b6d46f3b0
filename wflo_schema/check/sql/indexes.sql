-- One row: an index of one of the given relations.  "columns" holds 0 where an expression stands.
-- "needed_by" is what rests on it and cannot rest on another of the same columns.  A predicate is shown as "?": its text is asked for apart, because that locks the table.
SELECT
    x.indrelid AS relation,
    x.indexrelid AS oid,
    n.nspname::text AS schema,
    i.relname::text AS name,
    am.amname::text AS method,
    x.indisunique AS is_unique,
    x.indisprimary AS is_primary,
    x.indimmediate AS is_immediate,
    (x.indisvalid AND x.indisready AND x.indislive) AS is_valid,
    x.indnkeyatts::integer AS key_count,
    pg_catalog.string_to_array(x.indkey::text, ' ')::integer[] AS columns,
    pg_catalog.string_to_array(x.indcollation::text, ' ')::oid[] AS collations,
    (
        x.indclass::text || '/' || x.indoption::text || '/' || coalesce(x.indexprs::text, '')
        || '/' || x.indnullsnotdistinct::text
    ) AS shape,
    CASE WHEN x.indpred IS NOT NULL THEN '?' END AS predicate,
    con.contype IS NOT NULL AS is_of_constraint,
    CASE
        WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_constraint AS f WHERE f.conindid = x.indexrelid AND f.contype = 'f')
            THEN 'a foreign key'
        WHEN x.indisreplident THEN 'REPLICA IDENTITY'
        WHEN x.indisclustered THEN 'CLUSTER'
        WHEN EXISTS (SELECT 1 FROM pg_catalog.pg_inherits AS h WHERE h.inhrelid = x.indexrelid)
            THEN 'the index of the partitioned table'
        ELSE ''
    END AS needed_by,
    CASE WHEN con.contype IN ('p', 'u') THEN con.conname::text END AS constraint_name
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
JOIN pg_catalog.pg_am AS am ON am.oid = i.relam
LEFT JOIN pg_catalog.pg_constraint AS con
    ON con.conrelid = x.indrelid AND con.conindid = x.indexrelid AND con.contype IN ('p', 'u', 'x')
WHERE x.indrelid = ANY (%(relations)s::oid[])
ORDER BY x.indrelid, i.relname

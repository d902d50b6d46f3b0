-- One row: an index of one of the given relations.  "columns" holds 0 where an expression stands.
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
    ARRAY(
        SELECT pg_catalog.pg_get_indexdef(x.indexrelid, place, true)
        FROM pg_catalog.generate_series(1, x.indnkeyatts::integer) AS place
        ORDER BY place
    ) AS definitions,
    pg_catalog.string_to_array(x.indcollation::text, ' ')::oid[] AS collations,
    (x.indclass::text || '/' || x.indoption::text || '/' || coalesce(x.indexprs::text, '')) AS shape,
    pg_catalog.pg_get_expr(x.indpred, x.indrelid) AS predicate,
    EXISTS (
        SELECT 1
        FROM pg_catalog.pg_constraint AS con
        WHERE con.conindid = x.indexrelid AND con.contype IN ('p', 'u', 'x')
    ) AS is_of_constraint,
    (
        SELECT pg_catalog.min(con.conname::text)
        FROM pg_catalog.pg_constraint AS con
        WHERE con.conindid = x.indexrelid AND con.contype IN ('p', 'u')
    ) AS constraint_name
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
JOIN pg_catalog.pg_am AS am ON am.oid = i.relam
WHERE x.indrelid = ANY (%(relations)s::oid[])
ORDER BY x.indrelid, i.relname

-- one row: the foreign key of that name on that table, columns as arrays in the key's order
SELECT
    tn.nspname AS schema,
    t.relname AS table_name,
    rn.nspname AS referenced_schema,
    r.relname AS referenced_table,
    k.conname AS name,
    (
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.ordinal)
        FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY AS u (attnum, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.conrelid AND a.attnum = u.attnum
    ) AS columns,
    (
        SELECT pg_catalog.array_agg(a.attname::text ORDER BY u.ordinal)
        FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY AS u (attnum, ordinal)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = k.confrelid AND a.attnum = u.attnum
    ) AS referenced_columns
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS t ON t.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_class AS r ON r.oid = k.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE k.contype = 'f'
    AND k.conrelid = pg_catalog.to_regclass(%(table)s)
    AND k.conname = %(name)s

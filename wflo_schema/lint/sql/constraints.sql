-- one row: a check or a foreign key, with its table and the columns that it is on
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    f.conname::text AS constraint,
    f.contype::text AS kind,
    (SELECT coalesce(pg_catalog.array_agg(a.attname::text ORDER BY k.place), '{}')
     FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute AS a
         ON a.attrelid OPERATOR(pg_catalog.=) f.conrelid AND a.attnum OPERATOR(pg_catalog.=) k.number) AS columns
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE f.contype IN ('c', 'f') AND n.nspname OPERATOR(pg_catalog.!~) '^(pg_|information_schema$)'
ORDER BY n.nspname, c.relname, f.conname

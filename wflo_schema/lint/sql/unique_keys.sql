-- one row: a unique index of plain columns, without a condition, with the table that it is of and these columns
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    (SELECT pg_catalog.array_agg(a.attname::text)
     FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid OPERATOR(pg_catalog.=) i.indrelid
       AND a.attnum OPERATOR(pg_catalog.=) ANY (i.indkey[0:i.indnkeyatts OPERATOR(pg_catalog.-) 1])) AS columns
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE i.indisunique AND i.indpred IS NULL AND i.indexprs IS NULL
  AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
ORDER BY n.nspname, c.relname, i.indexrelid

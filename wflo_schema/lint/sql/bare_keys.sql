-- one row: a foreign key whose referencing columns no valid index begins with, in any order
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    f.conname::text AS constraint,
    (SELECT pg_catalog.array_agg(a.attname::text ORDER BY k.place)
     FROM pg_catalog.unnest(f.conkey) WITH ORDINALITY AS k (number, place)
     JOIN pg_catalog.pg_attribute AS a
         ON a.attrelid OPERATOR(pg_catalog.=) f.conrelid AND a.attnum OPERATOR(pg_catalog.=) k.number) AS columns,
    f.confdeltype::text AS on_delete
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE f.contype OPERATOR(pg_catalog.=) 'f' AND f.conparentid OPERATOR(pg_catalog.=) 0
  AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_index AS i
      WHERE i.indrelid OPERATOR(pg_catalog.=) f.conrelid AND i.indisvalid AND i.indpred IS NULL
        AND i.indnkeyatts OPERATOR(pg_catalog.>=) pg_catalog.cardinality(f.conkey)
        AND f.conkey OPERATOR(pg_catalog.@>)
            (i.indkey::pg_catalog.int2[])[0:pg_catalog.cardinality(f.conkey) OPERATOR(pg_catalog.-) 1])
ORDER BY n.nspname, c.relname, f.conname

-- one row is a table with rows of its own that no extension has made, its columns that can be written, the tables that
-- its foreign keys point to, its triggers that would fire, and whether it has rows at all
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.pg_attribute AS a
        WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attnum OPERATOR(pg_catalog.>) 0
          AND NOT a.attisdropped AND a.attgenerated OPERATOR(pg_catalog.=) ''
        ORDER BY a.attname
    ) AS columns,
    ARRAY(
        SELECT DISTINCT k.confrelid::pg_catalog.regclass::text
        FROM pg_catalog.pg_constraint AS k
        WHERE k.conrelid OPERATOR(pg_catalog.=) c.oid AND k.contype OPERATOR(pg_catalog.=) 'f'
          AND k.confrelid OPERATOR(pg_catalog.<>) c.oid
    ) AS points_to,
    ARRAY(
        SELECT pg_catalog.concat(t.tgenabled, t.tgname)
        FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid OPERATOR(pg_catalog.=) c.oid AND NOT t.tgisinternal
          AND t.tgenabled OPERATOR(pg_catalog.<>) 'D'
        ORDER BY t.tgname
    ) AS triggers,
    c.oid::pg_catalog.regclass::text AS spelled,
    pg_catalog.pg_relation_size(c.oid) AS size_bytes
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) c.relnamespace)
WHERE c.relkind OPERATOR(pg_catalog.=) 'r'
  AND c.relpersistence OPERATOR(pg_catalog.<>) 't'
  AND n.nspname OPERATOR(pg_catalog.<>) ALL (ARRAY['pg_catalog', 'information_schema'])
  AND n.nspname OPERATOR(pg_catalog.!~) '^pg_toast'
  AND c.relname::text OPERATOR(pg_catalog.<>) ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
        AND e.objid OPERATOR(pg_catalog.=) c.oid AND e.deptype OPERATOR(pg_catalog.=) 'e'
  )
ORDER BY n.nspname, c.relname

-- One row is one sequence that is not an identity column's own.
SELECT
    'sequence' AS kind,
    ARRAY[n.nspname, c.relname]::text[] AS path,
    CASE WHEN o.relname IS NOT NULL THEN ARRAY['column', o_n.nspname, o.relname, a.attname]::text[] END AS follows,
    pg_catalog.format_type(s.seqtypid, NULL) AS type,
    s.seqstart::text AS start,
    s.seqincrement::text AS increment,
    s.seqmin::text AS minimum,
    s.seqmax::text AS maximum,
    s.seqcache::text AS cache,
    CASE WHEN s.seqcycle THEN 'CYCLE' END AS cycle,
    CASE WHEN o.oid IS NOT NULL THEN
        o.oid::pg_catalog.regclass::text || '.' || pg_catalog.quote_ident(a.attname)
    END AS owned_by,
    CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' END AS persistence,
    d.description AS comment
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_class AS c ON (c.oid = s.seqrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_depend AS own
    ON (own.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND own.objid = c.oid
        AND own.objsubid = 0
        AND own.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND own.refobjsubid > 0
        AND own.deptype IN ('a', 'i'))
LEFT JOIN pg_catalog.pg_class AS o ON (o.oid = own.refobjid)
LEFT JOIN pg_catalog.pg_namespace AS o_n ON (o_n.oid = o.relnamespace)
LEFT JOIN pg_catalog.pg_attribute AS a ON (a.attrelid = own.refobjid AND a.attnum = own.refobjsubid)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = c.oid AND d.objsubid = 0)
WHERE COALESCE(own.deptype <> 'i', true)
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND COALESCE(o.relname <> ALL (%(ignore)s::text[]), true)
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname

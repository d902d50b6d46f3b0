-- One row is one schema that is not PostgreSQL's own nor an extension's.
SELECT
    'schema' AS kind,
    ARRAY[n.nspname]::text[] AS path,
    d.description AS comment
FROM pg_catalog.pg_namespace AS n
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND d.objoid = n.oid AND d.objsubid = 0)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_namespace'::pg_catalog.regclass AND e.objid = n.oid AND e.deptype = 'e')
ORDER BY n.nspname

-- One row is one schema with views, rules or functions that PostgreSQL must lock tables to print, and about how many.
SELECT
    o.schema AS schema,
    pg_catalog.count(DISTINCT (o.oid, d.refobjid)) AS locks
FROM (
    SELECT n.nspname::text AS schema, 'pg_catalog.pg_rewrite'::pg_catalog.regclass AS class, r.oid AS oid
    FROM pg_catalog.pg_rewrite AS r
    JOIN pg_catalog.pg_class AS c ON (c.oid = r.ev_class)
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
    UNION ALL
    SELECT n.nspname::text, 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = p.pronamespace)
    WHERE p.prosqlbody IS NOT NULL) AS o
JOIN pg_catalog.pg_depend AS d
    ON (d.classid = o.class AND d.objid = o.oid AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass)
WHERE o.schema = ANY (%(schemas)s::text[])
GROUP BY o.schema
ORDER BY o.schema

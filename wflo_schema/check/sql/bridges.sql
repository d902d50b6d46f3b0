-- One row: a view on one of the given relations that one of the given roles may write to, or a table with a rule on
-- it that fires in replica mode: both act with the rights of their own owner.
WITH RECURSIVE over(oid) AS (
    SELECT g.oid AS oid
    FROM pg_catalog.unnest(%(relations)s::oid[]) AS g(oid)
    UNION
    SELECT c.oid AS oid
    FROM over
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND d.refobjid = over.oid
        AND d.classid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass
    JOIN pg_catalog.pg_rewrite AS w ON w.oid = d.objid
    JOIN pg_catalog.pg_class AS c ON c.oid = w.ev_class
    WHERE c.relkind = 'v' OR (c.relkind IN ('r', 'p') AND w.ev_enabled IN ('R', 'A'))
)
SELECT
    r.rolname::text AS role,
    n.nspname::text AS schema,
    c.relname::text AS name,
    r.oid IS NOT NULL AND EXISTS (
        SELECT 1
        FROM pg_catalog.pg_roles AS m
        WHERE
            pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')
            AND (
                pg_catalog.has_any_column_privilege(m.oid, c.oid, 'INSERT, UPDATE')
                OR pg_catalog.has_table_privilege(m.oid, c.oid, 'DELETE')
            )
    ) AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(c.reloptions) AS o(entry)
        WHERE o.entry ~* '^security_invoker=(t|y|1|on)'
    ) AS can_write
FROM over
JOIN pg_catalog.pg_class AS c ON c.oid = over.oid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = ANY (%(roles)s::pg_catalog.name[])
WHERE c.oid <> ALL (%(relations)s::oid[])
ORDER BY n.nspname, c.relname, r.rolname

-- One row: a function or procedure that is neither PostgreSQL's nor an extension's.  "is_way" says that one of the
-- given roles may call it (or a trigger that fires in replica mode does) and that it acts as an owner who may write
-- to one of the relations.
SELECT
    p.oid AS oid,
    n.nspname::text AS schema,
    p.proname::text AS name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
    l.lanname::text AS language,
    p.prosrc AS source,
    EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(p.proconfig) AS e(entry)
        WHERE e.entry LIKE 'standard_conforming_strings=%%' AND e.entry NOT LIKE '%%=on'
    ) AS is_escaping,
    p.prosecdef
    AND CASE
        WHEN p.prorettype = 'pg_catalog.trigger'::pg_catalog.regtype
        THEN EXISTS (
            SELECT 1
            FROM pg_catalog.pg_trigger AS t
            WHERE t.tgfoid = p.oid AND t.tgenabled IN ('R', 'A')
        )
        ELSE EXISTS (
            SELECT 1
            FROM pg_catalog.pg_roles AS r
            JOIN pg_catalog.pg_roles AS m ON pg_catalog.pg_has_role(r.oid, m.oid, 'MEMBER')
            WHERE
                r.rolname = ANY (%(roles)s::pg_catalog.name[])
                AND pg_catalog.has_function_privilege(m.oid, p.oid, 'EXECUTE')
        )
    END
    AND EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(%(relations)s::oid[]) AS g(oid)
        WHERE
            pg_catalog.has_any_column_privilege(p.proowner, g.oid, 'INSERT, UPDATE')
            OR pg_catalog.has_table_privilege(p.proowner, g.oid, 'DELETE')
    ) AS is_way
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE
    n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND NOT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_depend AS d
        WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e'
    )
ORDER BY n.nspname, p.proname, p.oid

-- One row: what of a table is neither a column nor a constraint nor an index.
SELECT
    CASE WHEN c.relowner = (SELECT r.oid FROM pg_catalog.pg_roles AS r WHERE r.rolname = CURRENT_USER) THEN ''
        ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(c.relowner)) END AS owner,
    COALESCE(pg_catalog.obj_description(c.oid, 'pg_class'), '') AS comment,
    c.relrowsecurity AS has_row_security,
    c.relpersistence = 'u' AS is_unlogged,
    COALESCE(pg_catalog.array_to_string(c.reloptions, ', '), '') AS options,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_publication_tables AS p
        JOIN pg_catalog.pg_namespace AS n ON (n.nspname OPERATOR(pg_catalog.=) p.schemaname)
        WHERE n.oid OPERATOR(pg_catalog.=) c.relnamespace AND p.tablename OPERATOR(pg_catalog.=) c.relname)
    AS is_published,
    EXISTS (SELECT FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid OPERATOR(pg_catalog.=) c.oid) AS has_parent,
    ARRAY(
        SELECT pg_catalog.string_agg(x.privilege_type, ', ' ORDER BY x.privilege_type)
            || ' TO ' || COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
            || CASE WHEN x.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        FROM pg_catalog.aclexplode(c.relacl) AS x
        LEFT JOIN pg_catalog.pg_roles AS r ON (r.oid OPERATOR(pg_catalog.=) x.grantee)
        WHERE x.grantee OPERATOR(pg_catalog.<>) c.relowner
        GROUP BY r.rolname, x.is_grantable
        ORDER BY r.rolname, x.is_grantable) AS grants
FROM pg_catalog.pg_class AS c
WHERE c.oid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid

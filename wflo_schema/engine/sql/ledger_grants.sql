-- one row: what a role (or PUBLIC) other than the owner may do to a table of the ledger, reading apart
-- (a superuser, and who may become the owner, may do it anyway)
SELECT
    pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(c.relname) AS relation,
    COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC') AS grantee,
    pg_catalog.string_agg(
        DISTINCT acl.privilege_type || COALESCE(' (' || pg_catalog.quote_ident(acl.column_name) || ')', ''), ', '
    ) AS privileges
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT x.grantee, x.privilege_type, NULL AS column_name
    FROM pg_catalog.aclexplode(c.relacl) AS x
    UNION ALL
    SELECT x.grantee, x.privilege_type, a.attname
    FROM pg_catalog.pg_attribute AS a
    CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS x
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
) AS acl
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid = acl.grantee
WHERE n.nspname = $1::text
    AND c.relname = ANY ($2::text[])
    AND acl.grantee <> c.relowner
    AND acl.privilege_type <> 'SELECT'
    AND NOT COALESCE(r.rolsuper, FALSE)
    AND (acl.grantee = 0 OR NOT pg_catalog.pg_has_role(acl.grantee, c.relowner, 'MEMBER'))
GROUP BY n.nspname, c.relname, acl.grantee, r.rolname
ORDER BY 2, 1

-- one row: a statement that gives a database a default privilege of this one, of a role that this session may be
SELECT
    pg_catalog.format(
        'ALTER DEFAULT PRIVILEGES FOR ROLE %I %s %s',
        r.rolname,
        CASE WHEN n.oid IS NULL THEN '' ELSE pg_catalog.format('IN SCHEMA %I', n.nspname) END,
        s.statement
    ) AS statement
FROM pg_catalog.pg_default_acl AS d
JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) d.defaclrole
LEFT JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) d.defaclnamespace
CROSS JOIN LATERAL (
    SELECT
        CASE d.defaclobjtype
            WHEN 'r' THEN 'TABLES'
            WHEN 'S' THEN 'SEQUENCES'
            WHEN 'f' THEN 'ROUTINES'
            WHEN 'T' THEN 'TYPES'
            WHEN 'n' THEN 'SCHEMAS'
            ELSE 'LARGE OBJECTS'
        END
) AS k (kind)
CROSS JOIN LATERAL (
    SELECT 1 AS rank, pg_catalog.format('REVOKE ALL ON %s FROM %s', k.kind, g.grantee) AS statement
    FROM (VALUES ('PUBLIC'), (pg_catalog.quote_ident(r.rolname))) AS g (grantee)
    WHERE n.oid IS NULL
    UNION ALL
    SELECT
        2,
        pg_catalog.format(
            'GRANT %s ON %s TO %s%s',
            e.privilege_type,
            k.kind,
            COALESCE(pg_catalog.quote_ident(o.rolname), 'PUBLIC'),
            CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
        )
    FROM pg_catalog.aclexplode(d.defaclacl) AS e
    LEFT JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) e.grantee
) AS s
WHERE pg_catalog.pg_has_role(d.defaclrole, 'MEMBER')
ORDER BY d.oid, s.rank, s.statement

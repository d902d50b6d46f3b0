-- one row: a statement that lets a role (or PUBLIC) that may read _yoyo_migration read a table beside it, too
SELECT
    pg_catalog.format('GRANT SELECT ON TABLE %I.%I TO %s', n.nspname, c.relname, COALESCE(reader.name, 'PUBLIC'))
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
JOIN pg_catalog.pg_class AS m
    ON m.relnamespace OPERATOR(pg_catalog.=) n.oid AND m.relname OPERATOR(pg_catalog.=) '_yoyo_migration'::text
CROSS JOIN LATERAL (
    SELECT DISTINCT x.grantee, pg_catalog.quote_ident(r.rolname) AS name
    FROM pg_catalog.aclexplode(COALESCE(m.relacl, pg_catalog.acldefault('r', m.relowner))) AS x
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) x.grantee
    WHERE x.privilege_type OPERATOR(pg_catalog.=) 'SELECT'::text
) AS reader
WHERE n.nspname OPERATOR(pg_catalog.=) $1::text
    AND c.relname OPERATOR(pg_catalog.=) ANY ($2::text[])
    AND reader.grantee OPERATOR(pg_catalog.<>) c.relowner
    AND (reader.grantee OPERATOR(pg_catalog.=) 0::oid OR reader.name IS NOT NULL)
ORDER BY c.relname, reader.name

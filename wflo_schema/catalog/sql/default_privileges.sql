-- One row is what one role grants beforehand on one kind of object that it will make, in one schema or in all.
SELECT
    'default privileges' AS kind,
    ARRAY[
        pg_catalog.pg_get_userbyid(d.defaclrole),
        COALESCE(n.nspname, ''),
        CASE d.defaclobjtype
            WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES'
            WHEN 'n' THEN 'SCHEMAS' ELSE 'LARGE OBJECTS'
        END]::text[] AS path,
    (SELECT pg_catalog.string_agg(
         CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END
         || ' ' || g.privilege_type || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
         ', ' ORDER BY
             CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END COLLATE "C",
             g.privilege_type COLLATE "C")
     FROM pg_catalog.aclexplode(d.defaclacl) AS g) AS privileges
FROM pg_catalog.pg_default_acl AS d
LEFT JOIN pg_catalog.pg_namespace AS n ON (n.oid = d.defaclnamespace)
WHERE %(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[])
ORDER BY 2

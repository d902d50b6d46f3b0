-- One row is one object's owner and what its grants add to (+) or take from (-) the defaults of its kind.
WITH object AS (
    SELECT
        'schema' AS kind, ARRAY[n.nspname]::text[] AS path, n.nspowner AS owner, n.nspacl AS acl,
        pg_catalog.acldefault('n', n.nspowner) AS usual
    FROM pg_catalog.pg_namespace AS n
    UNION ALL
    SELECT
        CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table'
            WHEN 'S' THEN 'sequence' ELSE 'table' END,
        ARRAY[n.nspname, c.relname]::text[], c.relowner, c.relacl,
        pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
    WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm', 'S')
    UNION ALL
    SELECT
        'column', ARRAY[n.nspname, c.relname, a.attname]::text[], NULL, a.attacl,
        pg_catalog.acldefault('c', c.relowner)
    FROM pg_catalog.pg_attribute AS a
    JOIN pg_catalog.pg_class AS c ON (c.oid = a.attrelid)
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
    WHERE a.attacl IS NOT NULL AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f', 'v', 'm')
    UNION ALL
    SELECT
        CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END,
        ARRAY[n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')']::text[],
        p.proowner, p.proacl, pg_catalog.acldefault('f', p.proowner)
    FROM pg_catalog.pg_proc AS p
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = p.pronamespace)
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT
        CASE WHEN t.typtype = 'd' THEN 'domain' ELSE 'type' END,
        ARRAY[n.nspname, t.typname]::text[], t.typowner, t.typacl, pg_catalog.acldefault('T', t.typowner)
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = t.typnamespace)
    WHERE n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
    UNION ALL
    SELECT
        'foreign server', ARRAY[s.srvname]::text[], s.srvowner, s.srvacl, pg_catalog.acldefault('S', s.srvowner)
    FROM pg_catalog.pg_foreign_server AS s
    WHERE %(schemas)s::text[] IS NULL
    UNION ALL
    SELECT
        'foreign data wrapper', ARRAY[w.fdwname]::text[], w.fdwowner, w.fdwacl,
        pg_catalog.acldefault('F', w.fdwowner)
    FROM pg_catalog.pg_foreign_data_wrapper AS w
    WHERE %(schemas)s::text[] IS NULL
    UNION ALL
    SELECT
        'language', ARRAY[l.lanname]::text[], l.lanowner, l.lanacl, pg_catalog.acldefault('l', l.lanowner)
    FROM pg_catalog.pg_language AS l
    WHERE %(schemas)s::text[] IS NULL
    UNION ALL
    SELECT  -- whose it is, no migration says
        'database', ARRAY['itself']::text[], NULL, d.datacl, pg_catalog.acldefault('d', d.datdba)
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
      AND %(schemas)s::text[] IS NULL
)
SELECT
    o.kind,
    o.path,
    pg_catalog.pg_get_userbyid(o.owner)::text AS owner,
    CASE WHEN o.acl IS NOT NULL THEN
        (SELECT pg_catalog.string_agg(
             g.sign
             || CASE g.grantee
                 WHEN 0 THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(g.grantee)) END
             || ' ' || g.privilege_type
             || CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
             ', ' ORDER BY
                 CASE g.grantee WHEN 0 THEN '' ELSE pg_catalog.pg_get_userbyid(g.grantee) END COLLATE "C",
                 g.privilege_type COLLATE "C", g.sign COLLATE "C")
         FROM (
             (SELECT '+' AS sign, grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(o.acl)
              EXCEPT
              SELECT '+', grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(o.usual))
             UNION ALL
             (SELECT '-', grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(o.usual)
              EXCEPT
              SELECT '-', grantee, privilege_type, is_grantable FROM pg_catalog.aclexplode(o.acl))) AS g)
    END AS privileges
FROM object AS o
WHERE o.path[1] !~ '^pg_'
  AND o.path[1] <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR o.path[1] = ANY (%(schemas)s::text[]))
ORDER BY o.kind, o.path

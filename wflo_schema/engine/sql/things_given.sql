-- one row: a statement that takes away what somebody may do with one of these things since it was made
-- ($1, $2: catalogs and objects, paired)
SELECT
    i.type,
    i.identity,
    pg_catalog.format(
        'REVOKE ALL ON %s %s FROM %s',
        CASE
            WHEN c.oid IS NOT NULL THEN 'TABLE'
            WHEN p.oid IS NOT NULL THEN 'ROUTINE'
            ELSE 'TYPE'
        END,
        i.identity,
        COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC')
    ) AS statement
FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
CROSS JOIN LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, 0) AS i
LEFT JOIN pg_catalog.pg_class AS c
    ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
    AND c.oid OPERATOR(pg_catalog.=) s.objid
LEFT JOIN pg_catalog.pg_proc AS p
    ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
    AND p.oid OPERATOR(pg_catalog.=) s.objid
LEFT JOIN pg_catalog.pg_type AS t
    ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
    AND t.oid OPERATOR(pg_catalog.=) s.objid
CROSS JOIN LATERAL (
    SELECT DISTINCT e.grantee
    FROM pg_catalog.aclexplode(
        COALESCE(
            c.relacl,
            p.proacl,
            t.typacl,
            pg_catalog.acldefault(
                CASE WHEN c.oid IS NOT NULL THEN 'r' WHEN p.oid IS NOT NULL THEN 'f' ELSE 'T' END::"char",
                COALESCE(c.relowner, p.proowner, t.typowner)
            )
        )
    ) AS e
) AS g
LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) g.grantee
WHERE COALESCE(c.oid, p.oid, t.oid) IS NOT NULL
ORDER BY i.type, i.identity, statement

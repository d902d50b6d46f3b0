-- one row: one of these things that needs another of them ($1, $2: catalogs and objects, paired)
WITH things AS (
    SELECT s.classid, s.objid, s.classid AS owner_class, s.objid AS owner
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid, w.oid, s.classid, s.objid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
    JOIN pg_catalog.pg_rewrite AS w ON w.ev_class OPERATOR(pg_catalog.=) s.objid
    WHERE s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND w.rulename OPERATOR(pg_catalog.=) '_RETURN'::text
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid, y.oid, s.classid, s.objid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) s.objid
    JOIN pg_catalog.pg_type AS t ON t.oid OPERATOR(pg_catalog.=) c.reltype
    CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[t.oid, t.typarray]) AS y (oid)
    WHERE s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
)

SELECT DISTINCT
    one.owner_class AS classid,
    one.owner AS objid,
    other.owner_class AS refclassid,
    other.owner AS refobjid
FROM things AS one
JOIN pg_catalog.pg_depend AS d
    ON d.classid OPERATOR(pg_catalog.=) one.classid
    AND d.objid OPERATOR(pg_catalog.=) one.objid
    AND d.deptype OPERATOR(pg_catalog.=) ANY ('{n,a,i}'::"char"[])
JOIN things AS other
    ON other.classid OPERATOR(pg_catalog.=) d.refclassid
    AND other.objid OPERATOR(pg_catalog.=) d.refobjid
WHERE one.owner OPERATOR(pg_catalog.<>) other.owner
ORDER BY classid, objid, refclassid, refobjid

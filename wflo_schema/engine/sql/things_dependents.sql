-- one row: something that would have to be dropped with one of these, at its greatest depth
-- ($1, $2: catalogs and objects, paired; $3: columns of a single relation in $2, or NULL for all of it;
-- is_part: it goes with what it belongs to, such as an index; goes_too: and hinders nobody from dropping that,
-- as a default and a constraint of it do not, whatever else they need)
WITH RECURSIVE below (classid, objid, column_names, is_part, depth) AS (
    SELECT s.classid, s.objid, $3::text[], FALSE, 0
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
    UNION
    SELECT
        o.classid,
        o.objid,
        NULL::text[],
        d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}'::"char"[])
            AND o.classid OPERATOR(pg_catalog.=) d.classid
            AND o.objid OPERATOR(pg_catalog.=) d.objid,
        b.depth OPERATOR(pg_catalog.+) 1
    FROM below AS b
    JOIN pg_catalog.pg_depend AS d
        ON d.refclassid OPERATOR(pg_catalog.=) b.classid
        AND d.refobjid OPERATOR(pg_catalog.=) b.objid
        AND d.deptype OPERATOR(pg_catalog.=) ANY ('{n,a,i}'::"char"[])
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON b.column_names IS NOT NULL
        AND a.attrelid OPERATOR(pg_catalog.=) b.objid
        AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
    LEFT JOIN pg_catalog.pg_rewrite AS w
        ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
        AND w.oid OPERATOR(pg_catalog.=) d.objid
        AND w.rulename OPERATOR(pg_catalog.=) '_RETURN'::text
    LEFT JOIN pg_catalog.pg_class AS c
        ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND c.oid OPERATOR(pg_catalog.=) d.objid
        AND c.relkind OPERATOR(pg_catalog.=) 'c'::"char"
    CROSS JOIN LATERAL (
        SELECT
            CASE
                WHEN w.ev_class IS NOT NULL THEN 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
                WHEN c.reltype IS NOT NULL THEN 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
                ELSE d.classid
            END AS classid,
            COALESCE(w.ev_class, c.reltype, d.objid) AS objid
    ) AS o
    WHERE b.depth OPERATOR(pg_catalog.<) 200
        AND (
            b.column_names IS NULL
            OR a.attname::text OPERATOR(pg_catalog.=) ANY (b.column_names)
        )
        AND NOT (o.classid OPERATOR(pg_catalog.=) b.classid AND o.objid OPERATOR(pg_catalog.=) b.objid)
)

SELECT
    f.classid,
    f.objid,
    i.type,
    i.identity,
    f.is_part,
    f.goes_too
FROM (
    SELECT
        b.classid,
        b.objid,
        pg_catalog.bool_or(b.is_part) AS is_part,
        pg_catalog.bool_and(b.is_part) OR pg_catalog.bool_or(b.is_part) AND b.classid OPERATOR(pg_catalog.=) ANY (ARRAY[
            'pg_catalog.pg_attrdef'::pg_catalog.regclass::pg_catalog.oid,
            'pg_catalog.pg_constraint'::pg_catalog.regclass::pg_catalog.oid
        ]) AS goes_too,
        pg_catalog.max(b.depth) AS depth
    FROM below AS b
    WHERE b.depth OPERATOR(pg_catalog.>) 0
    GROUP BY b.classid, b.objid
) AS f
CROSS JOIN LATERAL pg_catalog.pg_identify_object(f.classid, f.objid, 0) AS i
LEFT JOIN pg_catalog.pg_type AS t
    ON f.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
    AND t.oid OPERATOR(pg_catalog.=) f.objid
WHERE NOT (f.goes_too AND t.oid IS NOT NULL)
ORDER BY f.depth DESC, i.type, i.identity

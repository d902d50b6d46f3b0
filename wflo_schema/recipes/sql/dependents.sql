-- One row is one view, materialized view, policy, rule or generated column that uses a table: which column of it, if one.
SELECT DISTINCT
    COALESCE(a.attname::text, '') AS "column",
    CASE
        WHEN r.oid IS NOT NULL THEN
            CASE v.relkind WHEN 'm' THEN 'materialized view ' WHEN 'v' THEN 'view ' ELSE 'rule on ' END
            || v.oid::pg_catalog.regclass::text
        WHEN p.oid IS NOT NULL THEN 'policy ' || p.polname::text
        WHEN ad.oid IS NOT NULL THEN 'generated column ' || ga.attname::text
        WHEN t.oid IS NOT NULL THEN 'trigger ' || t.tgname::text
        WHEN s.oid IS NOT NULL THEN 'statistics ' || s.stxname::text
        WHEN pr.oid IS NOT NULL THEN 'function ' || pr.oid::pg_catalog.regprocedure::text
        WHEN pub.oid IS NOT NULL THEN 'publication ' || pb.pubname::text
    END AS name
FROM pg_catalog.pg_depend AS d
LEFT JOIN pg_catalog.pg_attribute AS a
    ON (a.attrelid OPERATOR(pg_catalog.=) d.refobjid AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid)
LEFT JOIN pg_catalog.pg_rewrite AS r
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass
        AND r.oid OPERATOR(pg_catalog.=) d.objid)
LEFT JOIN pg_catalog.pg_class AS v ON (v.oid OPERATOR(pg_catalog.=) r.ev_class)
LEFT JOIN pg_catalog.pg_policy AS p
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_policy'::pg_catalog.regclass
        AND p.oid OPERATOR(pg_catalog.=) d.objid)
LEFT JOIN pg_catalog.pg_attrdef AS ad
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass
        AND ad.oid OPERATOR(pg_catalog.=) d.objid AND d.deptype = 'n')
LEFT JOIN pg_catalog.pg_attribute AS ga
    ON (ga.attrelid OPERATOR(pg_catalog.=) ad.adrelid AND ga.attnum OPERATOR(pg_catalog.=) ad.adnum)
LEFT JOIN pg_catalog.pg_trigger AS t
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass
        AND t.oid OPERATOR(pg_catalog.=) d.objid AND NOT t.tgisinternal)
LEFT JOIN pg_catalog.pg_statistic_ext AS s
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass
        AND s.oid OPERATOR(pg_catalog.=) d.objid)
LEFT JOIN pg_catalog.pg_proc AS pr
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND pr.oid OPERATOR(pg_catalog.=) d.objid)
LEFT JOIN pg_catalog.pg_publication_rel AS pub
    ON (d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_publication_rel'::pg_catalog.regclass
        AND pub.oid OPERATOR(pg_catalog.=) d.objid)
LEFT JOIN pg_catalog.pg_publication AS pb ON (pb.oid OPERATOR(pg_catalog.=) pub.prpubid)
WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
  AND d.refobjid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
  AND COALESCE(r.oid, p.oid, ad.oid, t.oid, s.oid, pr.oid, pub.oid) IS NOT NULL
ORDER BY 1, 2

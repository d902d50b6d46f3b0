-- One row is one function, window function, procedure or aggregate; its last path element lists the argument types.
SELECT
    CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END AS kind,
    ARRAY[n.nspname, p.proname, '(' || pg_catalog.oidvectortypes(p.proargtypes) || ')']::text[] AS path,
    CASE
        WHEN p.prokind <> 'a' THEN pg_catalog.rtrim(pg_catalog.pg_get_functiondef(p.oid), E'\n')
        ELSE pg_catalog.concat_ws(
            ', ',
            'AGGREGATE (' || pg_catalog.pg_get_function_arguments(p.oid) || ') SFUNC = ' || ag.aggtransfn::text,
            'STYPE = ' || pg_catalog.format_type(ag.aggtranstype, NULL),
            'RETURNS = ' || pg_catalog.format_type(p.prorettype, NULL),
            'SSPACE = ' || NULLIF(ag.aggtransspace, 0),
            CASE WHEN ag.aggfinalfn <> 0 THEN 'FINALFUNC = ' || ag.aggfinalfn::text END,
            CASE WHEN ag.aggfinalextra THEN 'FINALFUNC_EXTRA' END,
            CASE WHEN ag.aggfinalfn <> 0 THEN 'FINALFUNC_MODIFY = ' || CASE ag.aggfinalmodify
                WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
            CASE WHEN ag.aggcombinefn <> 0 THEN 'COMBINEFUNC = ' || ag.aggcombinefn::text END,
            CASE WHEN ag.aggserialfn <> 0 THEN 'SERIALFUNC = ' || ag.aggserialfn::text END,
            CASE WHEN ag.aggdeserialfn <> 0 THEN 'DESERIALFUNC = ' || ag.aggdeserialfn::text END,
            CASE WHEN ag.aggmtransfn <> 0 THEN 'MSFUNC = ' || ag.aggmtransfn::text END,
            CASE WHEN ag.aggminvtransfn <> 0 THEN 'MINVFUNC = ' || ag.aggminvtransfn::text END,
            CASE WHEN ag.aggmtransfn <> 0 THEN 'MSTYPE = ' || pg_catalog.format_type(ag.aggmtranstype, NULL) END,
            'MSSPACE = ' || NULLIF(ag.aggmtransspace, 0),
            CASE WHEN ag.aggmfinalfn <> 0 THEN 'MFINALFUNC = ' || ag.aggmfinalfn::text END,
            CASE WHEN ag.aggmfinalextra THEN 'MFINALFUNC_EXTRA' END,
            CASE WHEN ag.aggmfinalfn <> 0 THEN 'MFINALFUNC_MODIFY = ' || CASE ag.aggmfinalmodify
                WHEN 'r' THEN 'READ_ONLY' WHEN 's' THEN 'SHAREABLE' ELSE 'READ_WRITE' END END,
            'MINITCOND = ' || pg_catalog.quote_literal(ag.aggminitval),
            (SELECT pg_catalog.format('SORTOP = OPERATOR(%%I.%%s)', o_n.nspname, o.oprname)
             FROM pg_catalog.pg_operator AS o
             JOIN pg_catalog.pg_namespace AS o_n ON (o_n.oid = o.oprnamespace)
             WHERE o.oid = ag.aggsortop),
            'INITCOND = ' || pg_catalog.quote_literal(ag.agginitval),
            CASE ag.aggkind WHEN 'h' THEN 'HYPOTHETICAL' END,
            CASE p.proparallel WHEN 's' THEN 'PARALLEL = SAFE' WHEN 'r' THEN 'PARALLEL = RESTRICTED' END)
    END AS definition,
    (SELECT pg_catalog.string_agg(x.extname, ', ' ORDER BY x.extname COLLATE "C")
     FROM pg_catalog.pg_depend AS dx
     JOIN pg_catalog.pg_extension AS x ON (x.oid = dx.refobjid)
     WHERE dx.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND dx.objid = p.oid AND dx.deptype = 'x'
    ) AS depends_on_extension,
    d.description AS comment
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON (n.oid = p.pronamespace)
LEFT JOIN pg_catalog.pg_aggregate AS ag ON (ag.aggfnoid = p.oid)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objoid = p.oid AND d.objsubid = 0)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass
        AND e.objid = p.oid
        AND (e.deptype = 'e' OR (e.deptype = 'i' AND e.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass)))
ORDER BY n.nspname, p.proname, p.oid

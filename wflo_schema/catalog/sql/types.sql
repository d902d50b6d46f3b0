-- One row is one enum, domain, composite, range or base type made by a user.
SELECT
    CASE WHEN t.typtype = 'd' THEN 'domain' ELSE 'type' END AS kind,
    ARRAY[n.nspname, t.typname]::text[] AS path,
    CASE t.typtype
        WHEN 'e' THEN
            (SELECT 'ENUM (' || COALESCE(pg_catalog.string_agg(
                 pg_catalog.quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder), '') || ')'
             FROM pg_catalog.pg_enum AS e WHERE e.enumtypid = t.oid)
        WHEN 'c' THEN
            (SELECT '(' || COALESCE(pg_catalog.string_agg(
                 pg_catalog.quote_ident(a.attname) || ' ' || pg_catalog.format_type(a.atttypid, a.atttypmod)
                 || CASE WHEN a.attcollation <> ct.typcollation
                    THEN ' COLLATE ' || a.attcollation::pg_catalog.regcollation::text ELSE '' END,
                 ', ' ORDER BY a.attnum), '') || ')'
             FROM pg_catalog.pg_attribute AS a
             JOIN pg_catalog.pg_type AS ct ON (ct.oid = a.atttypid)
             WHERE a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped)
        WHEN 'r' THEN
            (SELECT 'RANGE (' || pg_catalog.concat_ws(
                 ', ',
                 'SUBTYPE = ' || pg_catalog.format_type(r.rngsubtype, NULL),
                 CASE WHEN NOT oc.opcdefault THEN 'SUBTYPE_OPCLASS = ' || pg_catalog.format('%%I.%%I', oc_n.nspname, oc.opcname) END,
                 CASE WHEN r.rngcollation <> st.typcollation
                     THEN 'COLLATION = ' || r.rngcollation::pg_catalog.regcollation::text END,
                 CASE WHEN r.rngcanonical <> 0 THEN 'CANONICAL = ' || r.rngcanonical::text END,
                 CASE WHEN r.rngsubdiff <> 0 THEN 'SUBTYPE_DIFF = ' || r.rngsubdiff::text END,
                 'MULTIRANGE_TYPE_NAME = ' || pg_catalog.format_type(r.rngmultitypid, NULL)) || ')'
             FROM pg_catalog.pg_range AS r
             JOIN pg_catalog.pg_opclass AS oc ON (oc.oid = r.rngsubopc)
             JOIN pg_catalog.pg_namespace AS oc_n ON (oc_n.oid = oc.opcnamespace)
             JOIN pg_catalog.pg_type AS st ON (st.oid = r.rngsubtype)
             WHERE r.rngtypid = t.oid)
        WHEN 'b' THEN
            'BASE (INPUT = ' || t.typinput::text || ', OUTPUT = ' || t.typoutput::text
            || COALESCE(', RECEIVE = ' || NULLIF(t.typreceive, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', SEND = ' || NULLIF(t.typsend, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', TYPMOD_IN = ' || NULLIF(t.typmodin, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', TYPMOD_OUT = ' || NULLIF(t.typmodout, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', ANALYZE = ' || NULLIF(t.typanalyze, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', SUBSCRIPT = ' || NULLIF(t.typsubscript, 0)::pg_catalog.regproc::text, '')
            || COALESCE(', ELEMENT = ' || pg_catalog.format_type(NULLIF(t.typelem, 0), NULL), '')
            || ', INTERNALLENGTH = ' || CASE t.typlen WHEN -1 THEN 'VARIABLE' ELSE t.typlen::text END
            || ', STORAGE = ' || CASE t.typstorage
                WHEN 'p' THEN 'plain' WHEN 'e' THEN 'external' WHEN 'm' THEN 'main' ELSE 'extended' END
            || ', CATEGORY = ' || pg_catalog.quote_literal(t.typcategory::text)
            || CASE WHEN t.typispreferred THEN ', PREFERRED = true' ELSE '' END
            || COALESCE(', DEFAULT = ' || pg_catalog.quote_literal(t.typdefault), '')
            || ', DELIMITER = ' || pg_catalog.quote_literal(t.typdelim::text)
            || CASE WHEN t.typcollation <> 0 THEN ', COLLATABLE = true' ELSE '' END
            || CASE WHEN t.typbyval THEN ', PASSEDBYVALUE' ELSE '' END
            || ', ALIGNMENT = ' || CASE t.typalign
                WHEN 'c' THEN 'char' WHEN 's' THEN 'int2' WHEN 'd' THEN 'double' ELSE 'int4' END
            || ')'
        WHEN 'p' THEN 'SHELL'
    END AS definition,
    CASE WHEN t.typtype = 'd' THEN pg_catalog.format_type(t.typbasetype, t.typtypmod) END AS type,
    CASE WHEN t.typtype = 'd' AND t.typnotnull THEN 'NOT NULL' END AS not_null,
    CASE WHEN t.typtype = 'd' THEN pg_catalog.pg_get_expr(t.typdefaultbin, 0) END AS "default",
    CASE WHEN t.typtype = 'd' AND t.typcollation <> bt.typcollation THEN
        t.typcollation::pg_catalog.regcollation::text
    END AS "collation",
    (SELECT nn.conname::text
     FROM pg_catalog.pg_constraint AS nn
     WHERE nn.contypid = t.oid AND nn.contype = 'n' AND nn.conname <> t.typname || '_not_null') AS not_null_constraint,
    (SELECT pg_catalog.string_agg(
         'CONSTRAINT ' || pg_catalog.quote_ident(con.conname) || ' ' || pg_catalog.pg_get_constraintdef(con.oid),
         ' ' ORDER BY con.conname COLLATE "C")
     FROM pg_catalog.pg_constraint AS con
     WHERE con.contypid = t.oid AND con.contype = 'c' AND con.convalidated) AS constraints,
    (SELECT pg_catalog.string_agg(
         'CONSTRAINT ' || pg_catalog.quote_ident(con.conname) || ' ' || pg_catalog.pg_get_constraintdef(con.oid),
         E'\n' ORDER BY con.conname COLLATE "C")
     FROM pg_catalog.pg_constraint AS con
     WHERE con.contypid = t.oid AND con.contype = 'c' AND NOT con.convalidated) AS unvalidated_constraints,
    (SELECT pg_catalog.string_agg(
         pg_catalog.format('COMMENT ON COLUMN %%I.%%I.%%I IS %%L;', n.nspname, t.typname, a.attname, ad.description),
         E'\n' ORDER BY a.attname COLLATE "C")
     FROM pg_catalog.pg_attribute AS a
     JOIN pg_catalog.pg_description AS ad
         ON (ad.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass
             AND ad.objoid = a.attrelid AND ad.objsubid = a.attnum)
     WHERE a.attrelid = t.typrelid AND t.typtype = 'c') AS attribute_comments,
    (SELECT pg_catalog.string_agg(
         pg_catalog.format(
             'COMMENT ON CONSTRAINT %%I ON DOMAIN %%I.%%I IS %%L;', con.conname, n.nspname, t.typname, cd.description),
         E'\n' ORDER BY con.conname COLLATE "C")
     FROM pg_catalog.pg_constraint AS con
     JOIN pg_catalog.pg_description AS cd
         ON (cd.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND cd.objoid = con.oid)
     WHERE con.contypid = t.oid) AS constraint_comments,
    d.description AS comment
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON (n.oid = t.typnamespace)
LEFT JOIN pg_catalog.pg_class AS c ON (c.oid = t.typrelid)
LEFT JOIN pg_catalog.pg_type AS bt ON (bt.oid = t.typbasetype)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objoid = t.oid AND d.objsubid = 0)
WHERE (t.typtype IN ('e', 'd', 'r', 'p')
       OR (t.typtype = 'c' AND c.relkind = 'c')
       OR (t.typtype = 'b' AND NOT EXISTS (
           SELECT FROM pg_catalog.pg_type AS el WHERE el.oid = t.typelem AND el.typarray = t.oid)))
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY n.nspname, t.typname

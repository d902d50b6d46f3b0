-- One row is one object of a kind that few databases hold: of text search, operator classes, languages, foreign data.
WITH apart AS (
    SELECT e.classid, e.objid
    FROM pg_catalog.pg_depend AS e
    WHERE e.deptype = 'e'
),
members AS (
    SELECT
        o.amopfamily AS family,
        d.refobjid AS class,
        pg_catalog.concat_ws(
            ' ', 'OPERATOR', o.amopstrategy,
            pg_catalog.format('%%I.%%s', n.nspname, op.oprname),
            '(' || pg_catalog.format_type(o.amoplefttype, NULL) || ', '
            || pg_catalog.format_type(o.amoprighttype, NULL) || ')',
            CASE o.amoppurpose WHEN 'o' THEN
                (SELECT pg_catalog.format('FOR ORDER BY %%I.%%I', sn.nspname, sf.opfname)
                 FROM pg_catalog.pg_opfamily AS sf
                 JOIN pg_catalog.pg_namespace AS sn ON (sn.oid = sf.opfnamespace)
                 WHERE sf.oid = o.amopsortfamily) END) AS text
    FROM pg_catalog.pg_amop AS o
    JOIN pg_catalog.pg_operator AS op ON (op.oid = o.amopopr)
    JOIN pg_catalog.pg_namespace AS n ON (n.oid = op.oprnamespace)
    LEFT JOIN pg_catalog.pg_depend AS d
        ON (d.classid = 'pg_catalog.pg_amop'::pg_catalog.regclass AND d.objid = o.oid
            AND d.refclassid = 'pg_catalog.pg_opclass'::pg_catalog.regclass)
    WHERE o.amopfamily >= 16384
    UNION ALL
    SELECT
        p.amprocfamily,
        d.refobjid,
        pg_catalog.concat_ws(
            ' ', 'FUNCTION', p.amprocnum,
            '(' || pg_catalog.format_type(p.amproclefttype, NULL) || ', '
            || pg_catalog.format_type(p.amprocrighttype, NULL) || ')',
            p.amproc::pg_catalog.regprocedure::text)
    FROM pg_catalog.pg_amproc AS p
    LEFT JOIN pg_catalog.pg_depend AS d
        ON (d.classid = 'pg_catalog.pg_amproc'::pg_catalog.regclass AND d.objid = p.oid
            AND d.refclassid = 'pg_catalog.pg_opclass'::pg_catalog.regclass)
    WHERE p.amprocfamily >= 16384
)
SELECT
    'foreign data wrapper' AS kind,
    ARRAY[w.fdwname]::text[] AS path,
    pg_catalog.concat_ws(
        ' ',
        'HANDLER ' || NULLIF(w.fdwhandler, 0)::pg_catalog.regproc::text,
        'VALIDATOR ' || NULLIF(w.fdwvalidator, 0)::pg_catalog.regproc::text,
        'OPTIONS (' || (
            SELECT pg_catalog.string_agg(
                pg_catalog.quote_ident(o.option_name)
                || CASE WHEN o.option_name ~ 'password' THEN '' ELSE ' ' || pg_catalog.quote_literal(o.option_value) END,
                ', ' ORDER BY o.option_name COLLATE "C")
            FROM pg_catalog.pg_options_to_table(w.fdwoptions) AS o) || ')') AS definition,
    pg_catalog.obj_description(w.oid, 'pg_foreign_data_wrapper') AS comment
FROM pg_catalog.pg_foreign_data_wrapper AS w
WHERE %(schemas)s::text[] IS NULL
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_foreign_data_wrapper'::pg_catalog.regclass AND e.objid = w.oid)
UNION ALL
SELECT
    'user mapping',
    ARRAY[u.srvname, CASE u.umuser WHEN 0 THEN 'PUBLIC' ELSE pg_catalog.pg_get_userbyid(u.umuser) END]::text[],
    NULL,
    NULL
FROM pg_catalog.pg_user_mappings AS u
WHERE %(schemas)s::text[] IS NULL
UNION ALL
SELECT
    'language',
    ARRAY[l.lanname]::text[],
    pg_catalog.concat_ws(
        ' ',
        CASE WHEN l.lanpltrusted THEN 'TRUSTED' END,
        'HANDLER ' || NULLIF(l.lanplcallfoid, 0)::pg_catalog.regproc::text,
        'INLINE ' || NULLIF(l.laninline, 0)::pg_catalog.regproc::text,
        'VALIDATOR ' || NULLIF(l.lanvalidator, 0)::pg_catalog.regproc::text),
    pg_catalog.obj_description(l.oid, 'pg_language')
FROM pg_catalog.pg_language AS l
WHERE %(schemas)s::text[] IS NULL
  AND l.lanispl
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_language'::pg_catalog.regclass AND e.objid = l.oid)
UNION ALL
SELECT
    'access method',
    ARRAY[m.amname]::text[],
    CASE m.amtype WHEN 't' THEN 'TABLE' ELSE 'INDEX' END || ' HANDLER ' || m.amhandler::text,
    pg_catalog.obj_description(m.oid, 'pg_am')
FROM pg_catalog.pg_am AS m
WHERE %(schemas)s::text[] IS NULL
  AND m.oid >= 16384
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_am'::pg_catalog.regclass AND e.objid = m.oid)
UNION ALL
SELECT
    'conversion',
    ARRAY[n.nspname, c.conname]::text[],
    pg_catalog.concat_ws(
        ' ',
        CASE WHEN c.condefault THEN 'DEFAULT' END,
        'FOR ' || pg_catalog.quote_literal(pg_catalog.pg_encoding_to_char(c.conforencoding)),
        'TO ' || pg_catalog.quote_literal(pg_catalog.pg_encoding_to_char(c.contoencoding)),
        'FROM ' || c.conproc::text),
    pg_catalog.obj_description(c.oid, 'pg_conversion')
FROM pg_catalog.pg_conversion AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.connamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_conversion'::pg_catalog.regclass AND e.objid = c.oid)
UNION ALL
SELECT
    'text search parser',
    ARRAY[n.nspname, p.prsname]::text[],
    pg_catalog.concat_ws(
        ', ',
        'START = ' || p.prsstart::text, 'GETTOKEN = ' || p.prstoken::text, 'END = ' || p.prsend::text,
        'HEADLINE = ' || NULLIF(p.prsheadline, 0)::pg_catalog.regproc::text, 'LEXTYPES = ' || p.prslextype::text),
    pg_catalog.obj_description(p.oid, 'pg_ts_parser')
FROM pg_catalog.pg_ts_parser AS p
JOIN pg_catalog.pg_namespace AS n ON (n.oid = p.prsnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_ts_parser'::pg_catalog.regclass AND e.objid = p.oid)
UNION ALL
SELECT
    'text search template',
    ARRAY[n.nspname, t.tmplname]::text[],
    pg_catalog.concat_ws(
        ', ', 'INIT = ' || NULLIF(t.tmplinit, 0)::pg_catalog.regproc::text, 'LEXIZE = ' || t.tmpllexize::text),
    pg_catalog.obj_description(t.oid, 'pg_ts_template')
FROM pg_catalog.pg_ts_template AS t
JOIN pg_catalog.pg_namespace AS n ON (n.oid = t.tmplnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_ts_template'::pg_catalog.regclass AND e.objid = t.oid)
UNION ALL
SELECT
    'text search dictionary',
    ARRAY[n.nspname, d.dictname]::text[],
    pg_catalog.concat_ws(
        ', ',
        'TEMPLATE = ' || pg_catalog.quote_ident(tn.nspname) || '.' || pg_catalog.quote_ident(t.tmplname),
        d.dictinitoption),
    pg_catalog.obj_description(d.oid, 'pg_ts_dict')
FROM pg_catalog.pg_ts_dict AS d
JOIN pg_catalog.pg_namespace AS n ON (n.oid = d.dictnamespace)
JOIN pg_catalog.pg_ts_template AS t ON (t.oid = d.dicttemplate)
JOIN pg_catalog.pg_namespace AS tn ON (tn.oid = t.tmplnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_ts_dict'::pg_catalog.regclass AND e.objid = d.oid)
UNION ALL
SELECT
    'operator family',
    ARRAY[n.nspname, f.opfname, m.amname]::text[],
    (SELECT pg_catalog.string_agg(member.text, ', ' ORDER BY member.text COLLATE "C")
     FROM members AS member WHERE member.family = f.oid AND member.class IS NULL),
    pg_catalog.obj_description(f.oid, 'pg_opfamily')
FROM pg_catalog.pg_opfamily AS f
JOIN pg_catalog.pg_namespace AS n ON (n.oid = f.opfnamespace)
JOIN pg_catalog.pg_am AS m ON (m.oid = f.opfmethod)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_opfamily'::pg_catalog.regclass AND e.objid = f.oid)
UNION ALL
SELECT
    'operator class',
    ARRAY[n.nspname, c.opcname, m.amname]::text[],
    pg_catalog.concat_ws(
        ' ',
        CASE WHEN c.opcdefault THEN 'DEFAULT' END,
        'FOR TYPE ' || pg_catalog.format_type(c.opcintype, NULL),
        'USING ' || pg_catalog.quote_ident(m.amname),
        'FAMILY ' || pg_catalog.quote_ident(fn.nspname) || '.' || pg_catalog.quote_ident(f.opfname),
        'AS ' || pg_catalog.concat_ws(
            ', ',
            'STORAGE ' || pg_catalog.format_type(COALESCE(NULLIF(c.opckeytype, 0), c.opcintype), NULL),
            (SELECT pg_catalog.string_agg(o.text, ', ' ORDER BY o.text COLLATE "C")
             FROM members AS o WHERE o.class = c.oid))),
    pg_catalog.obj_description(c.oid, 'pg_opclass')
FROM pg_catalog.pg_opclass AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.opcnamespace)
JOIN pg_catalog.pg_am AS m ON (m.oid = c.opcmethod)
JOIN pg_catalog.pg_opfamily AS f ON (f.oid = c.opcfamily)
JOIN pg_catalog.pg_namespace AS fn ON (fn.oid = f.opfnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_opclass'::pg_catalog.regclass AND e.objid = c.oid)
UNION ALL
SELECT
    'transform',
    ARRAY['FOR ' || pg_catalog.format_type(t.trftype, NULL) || ' LANGUAGE ' || pg_catalog.quote_ident(l.lanname)]::text[],
    '(' || pg_catalog.concat_ws(
        ', ',
        'FROM SQL WITH FUNCTION ' || NULLIF(t.trffromsql, 0)::pg_catalog.regprocedure::text,
        'TO SQL WITH FUNCTION ' || NULLIF(t.trftosql, 0)::pg_catalog.regprocedure::text) || ')',
    pg_catalog.obj_description(t.oid, 'pg_transform')
FROM pg_catalog.pg_transform AS t
JOIN pg_catalog.pg_language AS l ON (l.oid = t.trflang)
WHERE %(schemas)s::text[] IS NULL
  AND NOT EXISTS (
      SELECT FROM apart AS e
      WHERE e.classid = 'pg_catalog.pg_transform'::pg_catalog.regclass AND e.objid = t.oid)
ORDER BY 1, 2

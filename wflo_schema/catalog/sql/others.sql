-- One row is one extension, event trigger, publication, foreign server, collation, text search configuration, operator or cast.
SELECT
    'extension' AS kind,
    ARRAY[x.extname]::text[] AS path,
    n.nspname::text AS schema,
    x.extversion AS version,
    NULL AS definition,
    NULL AS enabled,
    pg_catalog.obj_description(x.oid, 'pg_extension') AS comment
FROM pg_catalog.pg_extension AS x
JOIN pg_catalog.pg_namespace AS n ON (n.oid = x.extnamespace)
WHERE %(schemas)s::text[] IS NULL
UNION ALL
SELECT
    'event trigger',
    ARRAY[t.evtname]::text[],
    NULL,
    NULL,
    'ON ' || t.evtevent
    || COALESCE(' WHEN TAG IN (' || (
        SELECT pg_catalog.string_agg(pg_catalog.quote_literal(g.tag), ', ' ORDER BY g.number)
        FROM pg_catalog.unnest(t.evttags) WITH ORDINALITY AS g(tag, number)) || ')', '')
    || ' EXECUTE FUNCTION ' || t.evtfoid::pg_catalog.regproc::text || '()',
    CASE t.evtenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' END,
    pg_catalog.obj_description(t.oid, 'pg_event_trigger')
FROM pg_catalog.pg_event_trigger AS t
WHERE %(schemas)s::text[] IS NULL
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_event_trigger'::pg_catalog.regclass AND e.objid = t.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'publication',
    ARRAY[p.pubname]::text[],
    NULL,
    NULL,
    pg_catalog.concat_ws(
        ' ',
        CASE WHEN p.puballtables THEN 'FOR ALL TABLES' ELSE
            'FOR ' || NULLIF(pg_catalog.concat_ws(
                ', ',
                (SELECT 'TABLE ' || pg_catalog.string_agg(
                     pg_catalog.concat(
                         'ONLY ', pr.prrelid::pg_catalog.regclass::text,
                         ' (' || (
                             SELECT pg_catalog.string_agg(pg_catalog.quote_ident(a.attname), ', ' ORDER BY a.attnum)
                             FROM pg_catalog.pg_attribute AS a
                             WHERE a.attrelid = pr.prrelid AND a.attnum = ANY (pr.prattrs)) || ')',
                         ' WHERE (' || pg_catalog.pg_get_expr(pr.prqual, pr.prrelid) || ')'),
                     ', ' ORDER BY pr.prrelid::pg_catalog.regclass::text COLLATE "C")
                 FROM pg_catalog.pg_publication_rel AS pr
                 WHERE pr.prpubid = p.oid),
                (SELECT pg_catalog.string_agg(
                     'TABLES IN SCHEMA ' || pg_catalog.quote_ident(pn.nspname), ', ' ORDER BY pn.nspname COLLATE "C")
                 FROM pg_catalog.pg_publication_namespace AS ps
                 JOIN pg_catalog.pg_namespace AS pn ON (pn.oid = ps.pnnspid)
                 WHERE ps.pnpubid = p.oid)), '')
        END,
        'WITH (publish = '''
        || pg_catalog.concat_ws(
            ', ',
            CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
            CASE WHEN p.pubdelete THEN 'delete' END, CASE WHEN p.pubtruncate THEN 'truncate' END)
        || ''''
        || CASE WHEN p.pubviaroot THEN ', publish_via_partition_root = true' ELSE '' END
        || CASE p.pubgencols WHEN 's' THEN ', publish_generated_columns = stored' ELSE '' END
        || ')'),
    NULL,
    pg_catalog.obj_description(p.oid, 'pg_publication')
FROM pg_catalog.pg_publication AS p
WHERE %(schemas)s::text[] IS NULL
UNION ALL
SELECT
    'foreign server',
    ARRAY[s.srvname]::text[],
    NULL,
    s.srvversion,
    COALESCE('TYPE ' || pg_catalog.quote_literal(s.srvtype) || ' ', '')
    || 'FOREIGN DATA WRAPPER ' || pg_catalog.quote_ident(w.fdwname)
    || COALESCE(' OPTIONS (' || (
        SELECT pg_catalog.string_agg(
            pg_catalog.quote_ident(o.option_name)
            || CASE WHEN o.option_name ~ 'password' THEN '' ELSE ' ' || pg_catalog.quote_literal(o.option_value) END,
            ', ' ORDER BY o.option_name COLLATE "C")
        FROM pg_catalog.pg_options_to_table(s.srvoptions) AS o) || ')', ''),
    NULL,
    pg_catalog.obj_description(s.oid, 'pg_foreign_server')
FROM pg_catalog.pg_foreign_server AS s
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON (w.oid = s.srvfdw)
WHERE %(schemas)s::text[] IS NULL
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_foreign_server'::pg_catalog.regclass AND e.objid = s.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'cast',
    ARRAY['(' || pg_catalog.format_type(k.castsource, NULL) || ' AS ' || pg_catalog.format_type(k.casttarget, NULL)
          || ')']::text[],
    NULL,
    NULL,
    CASE k.castmethod
        WHEN 'f' THEN 'WITH FUNCTION ' || k.castfunc::pg_catalog.regprocedure::text
        WHEN 'i' THEN 'WITH INOUT'
        ELSE 'WITHOUT FUNCTION'
    END || CASE k.castcontext WHEN 'a' THEN ' AS ASSIGNMENT' WHEN 'i' THEN ' AS IMPLICIT' ELSE '' END,
    NULL,
    pg_catalog.obj_description(k.oid, 'pg_cast')
FROM pg_catalog.pg_cast AS k
WHERE %(schemas)s::text[] IS NULL
  AND k.oid >= 16384
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_cast'::pg_catalog.regclass AND e.objid = k.oid AND e.deptype IN ('e', 'i'))
UNION ALL
SELECT
    'collation',
    ARRAY[n.nspname, c.collname]::text[],
    NULL,
    NULL,
    pg_catalog.concat_ws(
        ', ',
        'PROVIDER = ' || CASE c.collprovider
            WHEN 'i' THEN 'icu' WHEN 'c' THEN 'libc' WHEN 'b' THEN 'builtin' ELSE 'default' END,
        'LOCALE = ' || pg_catalog.quote_literal(c.colllocale),
        'LC_COLLATE = ' || pg_catalog.quote_literal(c.collcollate),
        'LC_CTYPE = ' || pg_catalog.quote_literal(c.collctype),
        'RULES = ' || pg_catalog.quote_literal(c.collicurules),
        CASE WHEN NOT c.collisdeterministic THEN 'DETERMINISTIC = false' END),
    NULL,
    pg_catalog.obj_description(c.oid, 'pg_collation')
FROM pg_catalog.pg_collation AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.collnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_collation'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'text search configuration',
    ARRAY[n.nspname, c.cfgname]::text[],
    NULL,
    NULL,
    'PARSER = ' || pg_catalog.quote_ident(pp.nspname) || '.' || pg_catalog.quote_ident(p.prsname)
    || COALESCE((
        SELECT pg_catalog.string_agg('; ' || g.alias || ' WITH ' || g.dictionaries, '' ORDER BY g.maptokentype)
        FROM (
            SELECT
                m.maptokentype,
                (SELECT pg_catalog.quote_ident(tt.alias) FROM pg_catalog.ts_token_type(c.cfgparser) AS tt
                 WHERE tt.tokid = m.maptokentype) AS alias,
                pg_catalog.string_agg(
                    m.mapdict::pg_catalog.regdictionary::text, ', ' ORDER BY m.mapseqno) AS dictionaries
            FROM pg_catalog.pg_ts_config_map AS m
            WHERE m.mapcfg = c.oid
            GROUP BY m.maptokentype) AS g), ''),
    NULL,
    pg_catalog.obj_description(c.oid, 'pg_ts_config')
FROM pg_catalog.pg_ts_config AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.cfgnamespace)
JOIN pg_catalog.pg_ts_parser AS p ON (p.oid = c.cfgparser)
JOIN pg_catalog.pg_namespace AS pp ON (pp.oid = p.prsnamespace)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_ts_config'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'operator',
    ARRAY[n.nspname,
          o.oprname,
          '(' || COALESCE(pg_catalog.format_type(NULLIF(o.oprleft, 0), NULL), 'NONE') || ', '
          || pg_catalog.format_type(o.oprright, NULL) || ')']::text[],
    NULL,
    NULL,
    pg_catalog.concat_ws(
        ', ',
        'FUNCTION = ' || o.oprcode::text,
        'LEFTARG = ' || pg_catalog.format_type(NULLIF(o.oprleft, 0), NULL),
        'RIGHTARG = ' || pg_catalog.format_type(o.oprright, NULL),
        'COMMUTATOR = ' || (
            SELECT 'OPERATOR(' || pg_catalog.quote_ident(cn.nspname) || '.' || co.oprname || ')'
            FROM pg_catalog.pg_operator AS co
            JOIN pg_catalog.pg_namespace AS cn ON (cn.oid = co.oprnamespace)
            WHERE co.oid = o.oprcom),
        'NEGATOR = ' || (
            SELECT 'OPERATOR(' || pg_catalog.quote_ident(cn.nspname) || '.' || co.oprname || ')'
            FROM pg_catalog.pg_operator AS co
            JOIN pg_catalog.pg_namespace AS cn ON (cn.oid = co.oprnamespace)
            WHERE co.oid = o.oprnegate),
        'RESTRICT = ' || NULLIF(o.oprrest, 0)::pg_catalog.regproc::text,
        'JOIN = ' || NULLIF(o.oprjoin, 0)::pg_catalog.regproc::text,
        CASE WHEN o.oprcanhash THEN 'HASHES' END,
        CASE WHEN o.oprcanmerge THEN 'MERGES' END),
    NULL,
    pg_catalog.obj_description(o.oid, 'pg_operator')
FROM pg_catalog.pg_operator AS o
JOIN pg_catalog.pg_namespace AS n ON (n.oid = o.oprnamespace)
WHERE o.oprcode <> 0
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_operator'::pg_catalog.regclass AND e.objid = o.oid AND e.deptype = 'e')
ORDER BY 1, 2

-- One row is one trigger, rule, policy or statistics object of a relation; internal triggers belong to their constraint.
SELECT
    'trigger' AS kind,
    ARRAY[n.nspname, c.relname, tg.tgname]::text[] AS path,
    CASE WHEN tg.tgparentid <> 0 THEN ARRAY['trigger', pn.nspname, pc.relname, ptg.tgname]::text[] END AS follows,
    pg_catalog.pg_get_triggerdef(tg.oid) AS definition,
    CASE tg.tgenabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' END AS enabled,
    (SELECT pg_catalog.string_agg(x.extname, ', ' ORDER BY x.extname COLLATE "C")
     FROM pg_catalog.pg_depend AS dx
     JOIN pg_catalog.pg_extension AS x ON (x.oid = dx.refobjid)
     WHERE dx.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND dx.objid = tg.oid AND dx.deptype = 'x'
    ) AS depends_on_extension,
    NULL AS target,
    d.description AS comment
FROM pg_catalog.pg_trigger AS tg
JOIN pg_catalog.pg_class AS c ON (c.oid = tg.tgrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_trigger AS ptg ON (tg.tgparentid <> 0 AND ptg.oid = tg.tgparentid)
LEFT JOIN pg_catalog.pg_class AS pc ON (pc.oid = ptg.tgrelid)
LEFT JOIN pg_catalog.pg_namespace AS pn ON (pn.oid = pc.relnamespace)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND d.objoid = tg.oid AND d.objsubid = 0)
WHERE NOT tg.tgisinternal
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.deptype = 'e'
        AND ((e.classid = 'pg_catalog.pg_trigger'::pg_catalog.regclass AND e.objid = tg.oid)
             OR (e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid)))
UNION ALL
SELECT
    'rule',
    ARRAY[n.nspname, c.relname, r.rulename]::text[],
    NULL,
    pg_catalog.pg_get_ruledef(r.oid),
    CASE r.ev_enabled WHEN 'D' THEN 'DISABLED' WHEN 'R' THEN 'REPLICA' WHEN 'A' THEN 'ALWAYS' END,
    NULL,
    NULL,
    d.description
FROM pg_catalog.pg_rewrite AS r
JOIN pg_catalog.pg_class AS c ON (c.oid = r.ev_class)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_rewrite'::pg_catalog.regclass AND d.objoid = r.oid AND d.objsubid = 0)
WHERE r.rulename <> '_RETURN'
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'policy',
    ARRAY[n.nspname, c.relname, p.polname]::text[],
    NULL,
    pg_catalog.concat_ws(
        ' ',
        CASE WHEN p.polpermissive THEN 'AS PERMISSIVE' ELSE 'AS RESTRICTIVE' END,
        CASE p.polcmd
            WHEN 'r' THEN 'FOR SELECT' WHEN 'a' THEN 'FOR INSERT' WHEN 'w' THEN 'FOR UPDATE'
            WHEN 'd' THEN 'FOR DELETE' ELSE 'FOR ALL'
        END,
        (SELECT 'TO ' || pg_catalog.string_agg(m.member, ', ' ORDER BY m.member COLLATE "C")
         FROM (
             SELECT CASE WHEN u.role = 0 THEN 'PUBLIC'
                 ELSE pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(u.role)) END AS member
             FROM pg_catalog.unnest(p.polroles) AS u(role)) AS m),
        'USING (' || pg_catalog.pg_get_expr(p.polqual, p.polrelid) || ')',
        'WITH CHECK (' || pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid) || ')'),
    NULL,
    NULL,
    NULL,
    d.description
FROM pg_catalog.pg_policy AS p
JOIN pg_catalog.pg_class AS c ON (c.oid = p.polrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_policy'::pg_catalog.regclass AND d.objoid = p.oid AND d.objsubid = 0)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
UNION ALL
SELECT
    'statistics',
    ARRAY[n.nspname, s.stxname]::text[],
    ARRAY['table', cn.nspname, c.relname]::text[],
    pg_catalog.pg_get_statisticsobjdef(s.oid),
    NULL,
    NULL,
    NULLIF(NULLIF(s.stxstattarget, -1)::text, ''),
    d.description
FROM pg_catalog.pg_statistic_ext AS s
JOIN pg_catalog.pg_namespace AS n ON (n.oid = s.stxnamespace)
JOIN pg_catalog.pg_class AS c ON (c.oid = s.stxrelid)
JOIN pg_catalog.pg_namespace AS cn ON (cn.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND d.objoid = s.oid AND d.objsubid = 0)
WHERE n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.deptype = 'e'
        AND ((e.classid = 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass AND e.objid = s.oid)
             OR (e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid)))
ORDER BY 1, 2

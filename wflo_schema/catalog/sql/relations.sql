-- One row is one table, partitioned table, foreign table, view or materialized view.
SELECT
    CASE c.relkind
        WHEN 'v' THEN 'view'
        WHEN 'm' THEN 'materialized view'
        WHEN 'f' THEN 'foreign table'
        ELSE 'table'
    END AS kind,
    ARRAY[n.nspname, c.relname]::text[] AS path,
    CASE c.relpersistence WHEN 'u' THEN 'UNLOGGED' WHEN 't' THEN 'TEMPORARY' END AS persistence,
    CASE WHEN c.relkind = 'p' THEN pg_catalog.pg_get_partkeydef(c.oid) END AS partition_key,
    CASE WHEN c.relispartition THEN
        (SELECT pg_catalog.min(i.inhparent::pg_catalog.regclass::text)
         FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid)
        || ' ' || pg_catalog.pg_get_expr(c.relpartbound, c.oid)
    END AS partition_of,
    CASE WHEN NOT c.relispartition AND c.relkind IN ('r', 'f') THEN
        (SELECT pg_catalog.string_agg(i.inhparent::pg_catalog.regclass::text, ', ' ORDER BY i.inhseqno)
         FROM pg_catalog.pg_inherits AS i WHERE i.inhrelid = c.oid)
    END AS inherits,
    CASE WHEN c.reloftype <> 0 THEN pg_catalog.format_type(c.reloftype, NULL) END AS of_type,
    (SELECT pg_catalog.string_agg(o.option, ', ' ORDER BY o.number)
     FROM pg_catalog.unnest(c.reloptions) WITH ORDINALITY AS o(option, number)
     WHERE o.option ~ CASE WHEN am.oid < 16384 OR am.oid IS NULL THEN %(relation_options)s ELSE %(other_options)s END
    ) AS options,
    (SELECT pg_catalog.string_agg(o.option, ', ' ORDER BY o.number)
     FROM pg_catalog.unnest(toast.reloptions) WITH ORDINALITY AS o(option, number)
     WHERE o.option ~ %(relation_options)s) AS toast_options,
    (SELECT ts.spcname::text FROM pg_catalog.pg_tablespace AS ts WHERE ts.oid = c.reltablespace) AS tablespace,
    CASE WHEN c.relrowsecurity THEN 'ENABLED' END AS row_security,
    CASE WHEN c.relforcerowsecurity THEN 'FORCED' END AS row_security_for_owner,
    CASE
        WHEN c.relkind NOT IN ('r', 'p', 'm') OR c.relreplident = 'd' THEN NULL
        WHEN c.relreplident = 'f' THEN 'FULL'
        WHEN c.relreplident = 'n' THEN 'NOTHING'
        ELSE 'USING INDEX ' || COALESCE(
            (SELECT pg_catalog.quote_ident(ic.relname)
             FROM pg_catalog.pg_index AS i
             JOIN pg_catalog.pg_class AS ic ON (ic.oid = i.indexrelid)
             WHERE i.indrelid = c.oid AND i.indisreplident), '?')
    END AS replica_identity,
    CASE WHEN c.relkind IN ('r', 'm', 'p') AND am.amname <> 'heap' THEN am.amname::text END AS access_method,
    fs.srvname::text AS server,
    (SELECT pg_catalog.string_agg(
         pg_catalog.quote_ident(o.option_name)
         || CASE WHEN o.option_name ~ 'password' THEN '' ELSE ' ' || pg_catalog.quote_literal(o.option_value) END,
         ', ' ORDER BY o.option_name COLLATE "C")
     FROM pg_catalog.pg_options_to_table(ft.ftoptions) AS o) AS foreign_options,
    CASE WHEN c.relkind IN ('v', 'm') THEN pg_catalog.pg_get_viewdef(c.oid) END AS definition,
    CASE WHEN c.relkind = 'm' AND NOT c.relispopulated THEN 'no' END AS populated,
    CASE WHEN c.relkind = 'm' THEN
        (SELECT pg_catalog.string_agg(x.extname, ', ' ORDER BY x.extname COLLATE "C")
         FROM pg_catalog.pg_depend AS dx
         JOIN pg_catalog.pg_extension AS x ON (x.oid = dx.refobjid)
         WHERE dx.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND dx.objid = c.oid AND dx.deptype = 'x')
    END AS depends_on_extension,
    d.description AS comment
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_class AS toast ON (toast.oid = c.reltoastrelid)
LEFT JOIN pg_catalog.pg_am AS am ON (am.oid = c.relam)
LEFT JOIN pg_catalog.pg_foreign_table AS ft ON (ft.ftrelid = c.oid)
LEFT JOIN pg_catalog.pg_foreign_server AS fs ON (fs.oid = ft.ftserver)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = c.oid AND d.objsubid = 0)
WHERE c.relkind IN ('r', 'p', 'f', 'v', 'm')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname

-- One row is one constraint of a table, clones on partitions included, NOT NULL left to its column.
SELECT
    'constraint' AS kind,
    ARRAY[n.nspname, c.relname, con.conname]::text[] AS path,
    con.oid AS object_oid,
    con.conparentid AS parent_oid,
    con.confrelid AS referenced_oid,
    con.confrelid::pg_catalog.regclass::text AS referenced_table,
    CASE WHEN p.relname IS NOT NULL THEN
        ARRAY['constraint', p.nspname, p.relname, con.conname]::text[]
    END AS follows,
    CASE
        WHEN NOT con.conenforced THEN
            pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(con.oid), '( NOT VALID| NOT ENFORCED)+$', '')
        WHEN NOT con.convalidated THEN
            pg_catalog.regexp_replace(pg_catalog.pg_get_constraintdef(con.oid), ' NOT VALID$', '')
        ELSE pg_catalog.pg_get_constraintdef(con.oid)
    END AS definition,
    CASE WHEN con.conenforced AND NOT con.convalidated THEN 'NOT VALID' END AS validated,
    CASE WHEN NOT con.conenforced THEN 'NOT ENFORCED' END AS enforced,
    CASE WHEN con.contype = 'c' AND con.coninhcount > 0 AND NOT c.relispartition THEN
        CASE WHEN con.conislocal THEN 'INHERITED AND OWN' ELSE 'INHERITED' END
    END AS inherited,
    CASE WHEN con.contype = 'f' AND con.conparentid = 0 THEN
        CASE
            WHEN i.indisprimary THEN 'primary key'
            WHEN EXISTS (
                SELECT FROM pg_catalog.pg_constraint AS uc
                WHERE uc.conrelid = con.confrelid AND uc.conindid = con.conindid AND uc.contype IN ('u', 'x'))
            THEN 'unique constraint'
            ELSE 'unique index'
        END
    END AS referenced_index,
    CASE
        WHEN con.contype = 'f' AND con.conenforced
             AND c.relkind IN ('r', 'p') AND rc.relkind IN ('r', 'p')
             AND COALESCE(tg.present, 0) < needed.triggers
        THEN pg_catalog.concat_ws(
            ', ',
            pg_catalog.concat(COALESCE(tg.present, 0), ' of ', needed.triggers, ' internal triggers'),
            tg.unusual)
        ELSE tg.unusual
    END AS triggers,
    CASE WHEN con.contype IN ('p', 'u', 'x') THEN
        (SELECT pg_catalog.string_agg(o.option, ', ' ORDER BY o.number)
         FROM pg_catalog.unnest(ic.reloptions) WITH ORDINALITY AS o(option, number)
         WHERE o.option ~ CASE WHEN ic.relam < 16384 THEN %(relation_options)s ELSE %(other_options)s END)
    END AS index_options,
    CASE WHEN con.contype IN ('p', 'u', 'x') AND NOT i.indisvalid THEN 'INVALID' END AS index_valid,
    CASE WHEN con.contype IN ('p', 'u', 'x') THEN
        (SELECT ts.spcname::text FROM pg_catalog.pg_tablespace AS ts WHERE ts.oid = ic.reltablespace)
    END AS index_tablespace,
    CASE WHEN con.contype IN ('p', 'u', 'x') AND i.indisclustered THEN 'yes' END AS clustered,
    CASE WHEN con.contype IN ('p', 'u', 'x') THEN id.description END AS index_comment,
    d.description AS comment
FROM pg_catalog.pg_constraint AS con
JOIN pg_catalog.pg_class AS c ON (c.oid = con.conrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_class AS rc ON (rc.oid = con.confrelid)
LEFT JOIN pg_catalog.pg_index AS i ON (i.indexrelid = con.conindid)
LEFT JOIN pg_catalog.pg_class AS ic ON (ic.oid = con.conindid)
LEFT JOIN (
    SELECT
        tg.tgconstraint,
        pg_catalog.count(*) AS present,
        pg_catalog.string_agg(
            f.proname
            || CASE tg.tgenabled WHEN 'D' THEN ' DISABLED' WHEN 'R' THEN ' ON REPLICA ONLY' ELSE ' ALWAYS' END,
            ', ' ORDER BY f.proname COLLATE "C") FILTER (WHERE tg.tgenabled <> 'O') AS unusual
    FROM pg_catalog.pg_trigger AS tg
    JOIN pg_catalog.pg_proc AS f ON (f.oid = tg.tgfoid)
    WHERE tg.tgisinternal AND tg.tgconstraint <> 0
    GROUP BY tg.tgconstraint) AS tg ON (tg.tgconstraint = con.oid)
CROSS JOIN LATERAL (SELECT CASE con.conparentid WHEN 0 THEN 4 ELSE 2 END AS triggers) AS needed
LEFT JOIN LATERAL (
    SELECT pn.nspname, pc.relname
    FROM pg_catalog.pg_inherits AS inh
    JOIN pg_catalog.pg_constraint AS pcon ON (pcon.conrelid = inh.inhparent AND pcon.conname = con.conname)
    JOIN pg_catalog.pg_class AS pc ON (pc.oid = inh.inhparent)
    JOIN pg_catalog.pg_namespace AS pn ON (pn.oid = pc.relnamespace)
    WHERE con.contype = 'c' AND con.coninhcount > 0 AND inh.inhrelid = con.conrelid AND pcon.contype = 'c'
    ORDER BY inh.inhseqno
    LIMIT 1) AS p ON (true)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_constraint'::pg_catalog.regclass AND d.objoid = con.oid AND d.objsubid = 0)
LEFT JOIN pg_catalog.pg_description AS id
    ON (id.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND id.objoid = con.conindid AND id.objsubid = 0)
WHERE con.contype IN ('c', 'f', 'p', 'u', 'x')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY n.nspname, c.relname, con.conname

-- One row is one index that no constraint owns, clones on partitions included.
SELECT
    'index' AS kind,
    ARRAY[n.nspname, c.relname, ic.relname]::text[] AS path,
    i.indexrelid AS object_oid,
    COALESCE(inh.inhparent, 0) AS parent_oid,
    0 AS referenced_oid,
    CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX ON ' ELSE 'CREATE INDEX ON ' END
    || pg_catalog.substr(
        pg_catalog.replace(
            pg_catalog.pg_get_indexdef(i.indexrelid),
            ' WITH (' || COALESCE(w.printed, '') || ')',
            COALESCE(' WITH (' || w.counted || ')', '')),
        pg_catalog.length(
            CASE WHEN i.indisunique THEN 'CREATE UNIQUE INDEX ' ELSE 'CREATE INDEX ' END
            || pg_catalog.quote_ident(ic.relname) || ' ON ') + 1) AS definition,
    CASE WHEN NOT (i.indisvalid AND i.indisready AND i.indislive) THEN 'INVALID' END AS valid,
    CASE WHEN i.indisclustered THEN 'yes' END AS clustered,
    (SELECT pg_catalog.string_agg(a.attnum || '=' || a.attstattarget, ', ' ORDER BY a.attnum)
     FROM pg_catalog.pg_attribute AS a
     WHERE a.attrelid = i.indexrelid AND a.attstattarget >= 0) AS statistics,
    (SELECT ts.spcname::text FROM pg_catalog.pg_tablespace AS ts WHERE ts.oid = ic.reltablespace) AS tablespace,
    (SELECT pg_catalog.string_agg(x.extname, ', ' ORDER BY x.extname COLLATE "C")
     FROM pg_catalog.pg_depend AS dx
     JOIN pg_catalog.pg_extension AS x ON (x.oid = dx.refobjid)
     WHERE dx.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND dx.objid = ic.oid AND dx.deptype = 'x'
    ) AS depends_on_extension,
    d.description AS comment
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS ic ON (ic.oid = i.indexrelid)
JOIN pg_catalog.pg_class AS c ON (c.oid = i.indrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
CROSS JOIN LATERAL (
    SELECT
        pg_catalog.string_agg(o.text, ', ') AS printed,
        pg_catalog.string_agg(o.text, ', ') FILTER (
            WHERE o.text ~ CASE WHEN ic.relam < 16384 THEN %(relation_options)s ELSE %(other_options)s END) AS counted
    FROM (
        SELECT
            pg_catalog.quote_ident(parts[1]) || '='
            || CASE pg_catalog.quote_ident(parts[2])
                WHEN parts[2] THEN parts[2]
                ELSE pg_catalog.quote_literal(parts[2])
            END AS text
        FROM pg_catalog.unnest(ic.reloptions) AS option,
            pg_catalog.regexp_match(option, '^([^=]*)=(.*)$') AS parts) AS o) AS w
LEFT JOIN pg_catalog.pg_inherits AS inh ON (inh.inhrelid = i.indexrelid)
LEFT JOIN pg_catalog.pg_description AS d
    ON (d.classoid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objoid = i.indexrelid AND d.objsubid = 0)
WHERE c.relkind IN ('r', 'p', 'm')
  AND n.nspname !~ '^pg_'
  AND n.nspname <> 'information_schema'
  AND (%(schemas)s::text[] IS NULL OR n.nspname = ANY (%(schemas)s::text[]))
  AND c.relname <> ALL (%(ignore)s::text[])
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint AS con
      WHERE con.conrelid = i.indrelid AND con.conindid = i.indexrelid AND con.contype IN ('p', 'u', 'x'))
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_depend AS e
      WHERE e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass
        AND e.objid IN (c.oid, ic.oid)
        AND e.deptype = 'e')
ORDER BY n.nspname, c.relname, ic.relname

-- One row: an enabled trigger of a user's on DELETE or UPDATE of one of the given relations.
-- "asks_depth" says that its WHEN calls pg_trigger_depth(), function 3163; to spell a WHEN out locks the table.
SELECT
    t.oid AS oid,
    t.tgrelid AS relation,
    t.tgname::text AS name,
    (t.tgtype::integer & 1) <> 0 AS is_row,
    (t.tgtype::integer & 2) <> 0 AS is_before,
    (t.tgtype::integer & 8) <> 0 AS is_delete,
    (t.tgtype::integer & 16) <> 0 AS is_update,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(t.tgattr::smallint[]) AS k(attnum)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.tgrelid AND a.attnum = k.attnum
    ) AS update_of,
    pg_catalog.string_to_array(pg_catalog.encode(t.tgargs, 'escape'), '\000') AS arguments,
    t.tgqual IS NOT NULL AS has_condition,
    coalesce(t.tgqual::text LIKE '%%:funcid 3163 %%', false) AS asks_depth,
    l.lanname::text AS language,
    coalesce(p.probin, '') AS library,
    p.prosrc AS source
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE
    t.tgrelid = ANY (%(relations)s::oid[])
    AND NOT t.tgisinternal
    AND t.tgenabled IN ('O', 'A')
    AND (t.tgtype::integer & 64) = 0
    AND (t.tgtype::integer & 24) <> 0
ORDER BY t.tgrelid, t.tgname

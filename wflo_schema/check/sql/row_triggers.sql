-- One row: an enabled trigger of a user's on DELETE or UPDATE of one of the given relations, with its function.
-- What its WHEN says is asked for apart: to spell it out locks the table.
SELECT
    tg.oid AS oid,
    tg.tgrelid AS relation,
    tg.tgname::text AS name,
    (tg.tgtype::integer & 1) <> 0 AS is_row,
    (tg.tgtype::integer & 2) <> 0 AS is_before,
    (tg.tgtype::integer & 8) <> 0 AS is_delete,
    (tg.tgtype::integer & 16) <> 0 AS is_update,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(tg.tgattr::smallint[]) AS k(attnum)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = tg.tgrelid AND a.attnum = k.attnum
    ) AS update_of,
    pg_catalog.string_to_array(pg_catalog.encode(tg.tgargs, 'escape'), '\000') AS arguments,
    tg.tgqual IS NOT NULL AS has_condition,
    p.proname::text AS routine,
    coalesce(p.proconfig, '{}') AS settings,
    l.lanname::text AS language,
    coalesce(p.probin, '') AS library,
    p.prosrc AS source
FROM pg_catalog.pg_trigger AS tg
JOIN pg_catalog.pg_proc AS p ON p.oid = tg.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE
    tg.tgrelid = ANY (%(relations)s::oid[])
    AND NOT tg.tgisinternal
    AND tg.tgenabled IN ('O', 'A')
    AND (tg.tgtype::integer & 64) = 0
    AND (tg.tgtype::integer & 24) <> 0
ORDER BY tg.tgrelid, tg.tgname

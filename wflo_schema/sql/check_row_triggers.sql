-- One row: an enabled BEFORE ROW trigger of a user's on DELETE or UPDATE of one of the given relations.
SELECT
    t.tgrelid AS relation,
    t.tgname::text AS name,
    (t.tgtype::integer & 8) <> 0 AS is_delete,
    (t.tgtype::integer & 16) <> 0 AS is_update,
    l.lanname::text AS language,
    p.prosrc AS source
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE
    t.tgrelid = ANY (%(relations)s::oid[])
    AND NOT t.tgisinternal
    AND t.tgenabled IN ('O', 'A')
    AND (t.tgtype::integer & 1) <> 0
    AND (t.tgtype::integer & 2) <> 0
    AND (t.tgtype::integer & 24) <> 0
ORDER BY t.tgrelid, t.tgname

-- One row: a trigger through which PostgreSQL enforces one of the given foreign keys.
-- "routine" is the fixed object id of the RI_FKey_* function; "type" is tgtype's bits.
-- "is_altered" says that it has columns or a WHEN, is deferred otherwise than the key, misses the table on the other
-- side, or has a function that is not PostgreSQL's own.  Only checks (1644, 1645) and NO ACTION (1654, 1655) can wait.
SELECT
    t.tgconstraint AS key,
    t.tgrelid AS relation,
    t.tgname::text AS name,
    t.tgfoid AS routine,
    t.tgtype::integer AS type,
    t.tgenabled::text AS enabled,
    (
        t.tgattr::text <> ''
        OR t.tgqual IS NOT NULL
        OR (t.tgrelid, t.tgconstrrelid) NOT IN ((con.conrelid, con.confrelid), (con.confrelid, con.conrelid))
        OR t.tgdeferrable <> (con.condeferrable AND t.tgfoid IN (1644, 1645, 1654, 1655))
        OR t.tginitdeferred <> (con.condeferred AND t.tgfoid IN (1644, 1645, 1654, 1655))
        OR l.lanname <> 'internal'
        OR p.prosrc <> p.proname
    ) AS is_altered
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_constraint AS con ON con.oid = t.tgconstraint
JOIN pg_catalog.pg_proc AS p ON p.oid = t.tgfoid
JOIN pg_catalog.pg_language AS l ON l.oid = p.prolang
WHERE t.tgconstraint = ANY (%(keys)s::oid[])
ORDER BY t.tgconstraint, t.tgname

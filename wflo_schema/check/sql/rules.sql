-- One row: an INSTEAD rule that is in force on UPDATE (2) or DELETE (4) of one of the given relations.
SELECT
    r.ev_class AS relation,
    r.rulename::text AS name,
    r.ev_type::text AS event
FROM pg_catalog.pg_rewrite AS r
WHERE
    r.ev_class = ANY (%(relations)s::oid[])
    AND r.is_instead
    AND r.ev_type IN ('2', '4')
    AND r.ev_enabled IN ('O', 'A')
ORDER BY r.ev_class, r.rulename

-- One row: a rule that is in force on UPDATE (2) or DELETE (4) of one of the given relations, and replaces that or comes
-- before it with an UPDATE, DELETE or MERGE (5).
SELECT
    r.ev_class AS relation,
    r.rulename::text AS name,
    r.ev_type::text AS event,
    r.is_instead AS is_instead
FROM pg_catalog.pg_rewrite AS r
WHERE
    r.ev_class = ANY (%(relations)s::oid[])
    AND (r.is_instead OR r.ev_action::text ~ ':commandType [245]')
    AND r.ev_type IN ('2', '4')
    AND r.ev_enabled IN ('O', 'A')
ORDER BY r.ev_class, r.rulename

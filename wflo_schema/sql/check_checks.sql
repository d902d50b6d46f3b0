-- One row: a check constraint of one of the given relations.
SELECT
    con.conrelid AS relation,
    con.conname::text AS name,
    pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression,
    con.convalidated AS is_validated,
    coalesce((pg_catalog.to_jsonb(con) ->> 'conenforced')::boolean, true) AS is_enforced
FROM pg_catalog.pg_constraint AS con
WHERE con.contype = 'c' AND con.conrelid = ANY (%(relations)s::oid[])
ORDER BY con.conrelid, con.conname

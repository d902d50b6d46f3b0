-- One row: a column of one of the given relations whose NOT NULL constraint (PostgreSQL 18) is NOT VALID.
SELECT
    con.conrelid AS relation,
    k.attnum::integer AS number,
    con.conname::text AS name
FROM pg_catalog.pg_constraint AS con
CROSS JOIN LATERAL pg_catalog.unnest(con.conkey) AS k(attnum)
WHERE con.contype = 'n' AND NOT con.convalidated AND con.conrelid = ANY (%(relations)s::oid[])
ORDER BY con.conrelid, k.attnum

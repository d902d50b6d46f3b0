-- One row: a trigger through which PostgreSQL enforces one of the given foreign keys.
-- "routine" is the fixed object id of the RI_FKey_… function; "type" is tgtype's bits.
SELECT
    t.tgconstraint AS key,
    t.tgrelid AS relation,
    t.tgname::text AS name,
    t.tgfoid AS routine,
    t.tgtype::integer AS type,
    t.tgenabled::text AS enabled,
    (t.tgattr::text <> '' OR t.tgqual IS NOT NULL) AS is_conditional
FROM pg_catalog.pg_trigger AS t
WHERE t.tgconstraint = ANY (%(keys)s::oid[])
ORDER BY t.tgconstraint, t.tgname

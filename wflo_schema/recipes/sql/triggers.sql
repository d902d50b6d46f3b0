-- One row is one trigger of a table that a person made.
SELECT
    t.tgname::text AS name,
    t.tgtype & 2 <> 0 AND t.tgtype & 1 <> 0 AS is_before_row,
    t.tgtype & 16 <> 0 AS is_on_update,
    t.tgenabled = 'O' AND t.tgoldtable IS NULL AND t.tgnewtable IS NULL AS is_plain,
    pg_catalog.pg_get_triggerdef(t.oid) AS definition
FROM pg_catalog.pg_trigger AS t
WHERE t.tgrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
  AND NOT t.tgisinternal
ORDER BY t.tgname

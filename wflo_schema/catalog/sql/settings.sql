-- One row is one setting of this transaction: with them names and constants always print alike, and plans are made fast.
-- "has_citus" says the same in each: whether Citus (12 or later) is there, whose catalog is then asked, too.
SELECT
    pg_catalog.set_config(s.name, s.value, true) AS value,
    pg_catalog.to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL AS has_citus
FROM ROWS FROM (
    pg_catalog.unnest(%(settings)s::pg_catalog.text[]),
    pg_catalog.unnest(%(values)s::pg_catalog.text[])) WITH ORDINALITY AS s(name, value, number)
ORDER BY s.number

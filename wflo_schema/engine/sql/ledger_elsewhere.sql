-- one row: how many of these migrations the ledger of another schema records
SELECT {name} AS schema, pg_catalog.count(*) AS recorded
FROM {schema}._yoyo_migration AS m
WHERE m.migration_hash = ANY ($1::text[])
HAVING pg_catalog.count(*) > 0

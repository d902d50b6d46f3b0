-- one row: the version of the operating system's collations by which new databases sort, empty where it has none
SELECT COALESCE(pg_catalog.pg_database_collation_actual_version(d.oid), '') AS collation
FROM pg_catalog.pg_database AS d
WHERE d.datname = 'template1'

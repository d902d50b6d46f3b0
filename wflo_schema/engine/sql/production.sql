-- one row: what the database is called here, and its comment, in which it may say that it is production's
SELECT
    d.datname AS name,
    pg_catalog.shobj_description(d.oid, 'pg_database') AS said
FROM pg_catalog.pg_database AS d
WHERE d.datname = pg_catalog.current_database()

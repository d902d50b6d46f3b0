-- one row: how many settings, comments and labels there are of roles and of other databases
WITH me AS (
    SELECT d.oid, 'pg_catalog.pg_database'::pg_catalog.regclass AS databases
    FROM pg_catalog.pg_database AS d
    WHERE d.datname = pg_catalog.current_database()
)
SELECT
    (SELECT pg_catalog.count(*) FROM pg_catalog.pg_db_role_setting AS s WHERE s.setdatabase <> me.oid)
    + (
        SELECT pg_catalog.count(*) FROM pg_catalog.pg_shdescription AS c
        WHERE (c.classoid, c.objoid) <> (me.databases, me.oid)
    )
    + (
        SELECT pg_catalog.count(*) FROM pg_catalog.pg_shseclabel AS l
        WHERE (l.classoid, l.objoid) <> (me.databases, me.oid)
    )
FROM me

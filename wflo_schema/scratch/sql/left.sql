-- one row is a database named like a scratch one, with nobody in it, that this role may drop; is its session alive?
SELECT
    d.datname::text AS name,
    ARRAY(
        SELECT l.objid::bigint
        FROM pg_catalog.pg_locks AS l
        WHERE l.locktype = 'advisory'
            AND l.objsubid = 2
            AND l.granted
            AND l.classid::bigint = %(class)s::bigint
        ORDER BY l.objid::bigint
    ) AS alive
FROM pg_catalog.pg_database AS d
WHERE pg_catalog.starts_with(d.datname::text, %(prefix)s::text)
    AND NOT d.datistemplate
    AND pg_catalog.pg_has_role(d.datdba, 'USAGE')
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datid = d.oid
    )
ORDER BY d.datname

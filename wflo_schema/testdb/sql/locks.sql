-- one row is an advisory lock of two numbers that a session on this server holds
SELECT DISTINCT
    l.classid::bigint AS class,
    l.objid::bigint AS number
FROM pg_catalog.pg_locks AS l
WHERE l.locktype = 'advisory'
    AND l.objsubid = 2
    AND l.granted
    AND l.classid::bigint = ANY (%(classes)s::bigint[])
ORDER BY class, number

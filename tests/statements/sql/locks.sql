-- One row for each lock that a session holds on a relation of its database.
SELECT
    l.relation AS oid,
    l.mode AS mode
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_database AS d ON d.oid = l.database
WHERE
    l.locktype = 'relation'
    AND l.granted
    AND d.datname = pg_catalog.current_database()
    AND l.pid = %(pid)s
ORDER BY l.relation, l.mode

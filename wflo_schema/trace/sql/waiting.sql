-- one row: a lock that a session has or waits for; of a relation of this database, its oid
SELECT
    CASE WHEN l.locktype OPERATOR(pg_catalog.=) 'relation' AND l.relation OPERATOR(pg_catalog.>=) 16384
        THEN l.relation::text END AS oid,
    l.mode,
    l.granted
FROM pg_catalog.pg_locks AS l
WHERE l.pid OPERATOR(pg_catalog.=) %(pid)s

-- one row: a transaction of this database that goes on for longer than so many seconds: what is done CONCURRENTLY
-- waits for its end
SELECT
    a.pid,
    a.usename::text AS role,
    COALESCE(a.application_name, '') AS application,
    COALESCE(a.backend_type, '') AS kind,
    COALESCE(a.state, '') AS state,
    COALESCE(a.query, '') AS query,
    EXTRACT(EPOCH FROM pg_catalog.now() - a.xact_start)::double precision AS age_s,
    NULL AS prepared_as
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
    AND a.pid <> pg_catalog.pg_backend_pid()
    AND (a.backend_xid IS NOT NULL OR a.backend_xmin IS NOT NULL)
    AND a.xact_start < pg_catalog.now() - pg_catalog.make_interval(secs => %(seconds)s)
UNION ALL
SELECT
    NULL,
    p.owner::text,
    '',
    '',
    '',
    '',
    EXTRACT(EPOCH FROM pg_catalog.now() - p.prepared)::double precision,
    p.gid
FROM pg_catalog.pg_prepared_xacts AS p
WHERE p.database = pg_catalog.current_database()
ORDER BY age_s DESC NULLS LAST, pid

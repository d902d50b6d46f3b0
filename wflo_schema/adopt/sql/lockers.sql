-- One row is a lock that we wait for, and who holds it: on tables of these names, or, without names, on any table.
SELECT
    l.pid AS pid,
    COALESCE(a.usename, '')::text AS username,
    COALESCE(a.application_name, '') AS application_name,
    COALESCE(a.state, CASE WHEN l.pid IS NULL THEN 'prepared' ELSE '' END) AS state,
    COALESCE(EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - a.xact_start), 0)::double precision AS since_s,
    COALESCE(pg_catalog.left(a.query, 500), '') AS query,
    pg_catalog.concat(n.nspname, '.', c.relname) AS relation
FROM pg_catalog.pg_locks AS l
JOIN pg_catalog.pg_class AS c ON (c.oid = l.relation)
JOIN pg_catalog.pg_namespace AS n ON (n.oid = c.relnamespace)
LEFT JOIN pg_catalog.pg_stat_activity AS a ON (a.pid = l.pid)
WHERE l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
  AND l.granted
  AND (
      (
          c.relname = ANY (%(names)s::text[])
          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
      )
      OR (
          %(names)s::text[] IS NULL
          AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND l.mode = 'AccessExclusiveLock'
      )
  )
  AND l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
ORDER BY relation, pid

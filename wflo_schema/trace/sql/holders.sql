-- one row: a lock that another session, or a prepared transaction, has or waits for on a relation of these names
SELECT
    w.name AS relation,
    l.mode,
    l.granted AS is_granted,
    l.pid,
    COALESCE(a.usename, p.owner)::text AS role,
    COALESCE(a.application_name, '') AS application,
    COALESCE(a.backend_type, '') AS kind,
    COALESCE(a.state, '') AS state,
    COALESCE(a.query, '') AS query,
    EXTRACT(EPOCH FROM pg_catalog.now() - COALESCE(a.xact_start, p.prepared))::double precision AS age_s,
    p.gid AS prepared_as
FROM pg_catalog.unnest(%(names)s::text[]) AS w (name)
CROSS JOIN LATERAL pg_catalog.parse_ident(w.name) AS i (parts)
JOIN pg_catalog.pg_namespace AS n ON n.nspname = i.parts[1]
JOIN pg_catalog.pg_class AS c ON c.relnamespace = n.oid AND c.relname = i.parts[2]
JOIN pg_catalog.pg_locks AS l
    ON l.locktype = 'relation'
    AND l.relation = c.oid
    AND l.database = (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = l.pid
LEFT JOIN pg_catalog.pg_locks AS x
    ON l.pid IS NULL
    AND x.pid IS NULL
    AND x.locktype = 'transactionid'
    AND x.virtualtransaction = l.virtualtransaction
LEFT JOIN pg_catalog.pg_prepared_xacts AS p ON p.transaction = x.transactionid
WHERE l.pid IS DISTINCT FROM pg_catalog.pg_backend_pid()
ORDER BY w.name, age_s DESC NULLS LAST, l.pid, l.mode

-- One row: a function that sets session_replication_role = replica for itself, or one that names the setting
-- and acts with its owner's rights, is called by an enabled trigger, or by such an event trigger as a session starts.
SELECT
    p.oid AS oid,
    n.nspname::text AS schema,
    p.proname::text AS name,
    pg_catalog.pg_get_function_identity_arguments(p.oid) AS arguments,
    p.prosrc AS source,
    EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(p.proconfig) AS e(entry)
        WHERE e.entry LIKE 'standard_conforming_strings=%%' AND e.entry NOT LIKE '%%=on'
    ) AS is_escaping,
    EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(p.proconfig) AS e(entry)
        WHERE lower(e.entry) = 'session_replication_role=replica'
    ) AS is_replica,
    l.at_login AS is_at_login,
    l.by_trigger AS is_by_trigger
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
CROSS JOIN LATERAL (
    SELECT EXISTS (
        SELECT 1
        FROM pg_catalog.pg_event_trigger AS t
        WHERE t.evtfoid = p.oid AND t.evtevent = 'login' AND t.evtenabled <> 'D'
    ) AS at_login, EXISTS (
        SELECT 1
        FROM pg_catalog.pg_trigger AS t
        WHERE t.tgfoid = p.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    ) AS by_trigger
) AS l
WHERE
    EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(p.proconfig) AS e(entry)
        WHERE lower(e.entry) = 'session_replication_role=replica'
    )
    OR ((p.prosecdef OR l.at_login OR l.by_trigger) AND lower(p.prosrc) LIKE '%%session_replication_role%%')
ORDER BY n.nspname, p.proname, p.oid

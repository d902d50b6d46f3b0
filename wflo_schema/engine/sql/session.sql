-- one row: what the session is like
SELECT
    pg_catalog.pg_is_in_recovery() AS is_standby,
    pg_catalog.pg_backend_pid() AS pid,
    CURRENT_USER AS role,
    pg_catalog.current_setting('search_path') AS path,
    pg_catalog.current_setting('synchronous_commit') AS synchronous_commit,
    EXISTS (
        SELECT
        FROM pg_catalog.pg_event_trigger AS e
        WHERE e.evtenabled OPERATOR(pg_catalog.<>) 'D'::"char"
    ) AS has_event_triggers,
    pg_catalog.to_regclass('pg_catalog.pg_dist_schema') IS NOT NULL AS has_citus

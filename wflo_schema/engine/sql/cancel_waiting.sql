-- one row: a session of ours that waits for a lock, and whose statement is canceled by this
SELECT pg_catalog.pg_cancel_backend(a.pid) AS is_canceled
FROM pg_catalog.pg_stat_activity AS a
WHERE a.datname = pg_catalog.current_database()
    AND CASE
        WHEN $2::integer IS NOT NULL THEN a.pid = $2::integer
        ELSE pg_catalog.left(a.application_name, pg_catalog.length($1::text)) = $1::text
    END
    AND a.pid <> pg_catalog.pg_backend_pid()
    AND a.wait_event_type = 'Lock'

-- one row: which database this is, whatever host, port and user led to it, and the schema that its search_path leads to
SELECT
    EXTRACT(EPOCH FROM pg_catalog.pg_postmaster_start_time())::text AS started,
    pg_catalog.current_setting('port') AS port,
    d.oid AS oid,
    pg_catalog.current_schema()::text AS schema
FROM pg_catalog.pg_database AS d
WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()

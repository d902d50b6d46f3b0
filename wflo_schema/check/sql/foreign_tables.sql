-- One row: one of the given relations that is a foreign table, with where its rows are.
-- "waits" says that nothing ends the wait for a server that does not answer: on this version only its own option does.
SELECT
    t.ftrelid AS relation,
    s.srvname::text AS server,
    w.fdwname::text AS wrapper,
    coalesce(
        (SELECT o.option_value FROM pg_catalog.pg_options_to_table(t.ftoptions) AS o WHERE o.option_name = 'schema_name'),
        n.nspname
    )::text AS remote_schema,
    coalesce(
        (SELECT o.option_value FROM pg_catalog.pg_options_to_table(t.ftoptions) AS o WHERE o.option_name = 'table_name'),
        c.relname
    )::text AS remote_name,
    w.fdwname = 'postgres_fdw' AND NOT EXISTS (
        SELECT 1 FROM pg_catalog.pg_options_to_table(s.srvoptions) AS o WHERE o.option_name = 'connect_timeout'
    ) AS waits
FROM pg_catalog.pg_foreign_table AS t
JOIN pg_catalog.pg_foreign_server AS s ON s.oid = t.ftserver
JOIN pg_catalog.pg_foreign_data_wrapper AS w ON w.oid = s.srvfdw
JOIN pg_catalog.pg_class AS c ON c.oid = t.ftrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE t.ftrelid = ANY (%(relations)s::oid[])
ORDER BY t.ftrelid

-- one row: is there nothing in this database but what initdb puts into it?
SELECT NOT (
    EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname <> 'plpgsql')
    OR EXISTS (
        SELECT
        FROM pg_catalog.pg_namespace
        WHERE nspname NOT IN ('public', 'information_schema') AND nspname !~ '^pg_'
    )
    OR EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace = 'public'::pg_catalog.regnamespace)
    OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace = 'public'::pg_catalog.regnamespace)
    OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE typnamespace = 'public'::pg_catalog.regnamespace)
) AS is_bare

-- One row is one migration that Hasura has applied to a database of its own.
SELECT
    m.key AS version,
    m.value = 'true'::pg_catalog.jsonb AS has_failed
FROM {table} AS v
CROSS JOIN LATERAL pg_catalog.jsonb_each(v.cli_state -> 'migrations') AS d(name, migrations)
CROSS JOIN LATERAL pg_catalog.jsonb_each(d.migrations) AS m(key, value)
ORDER BY m.key

-- one row is a sequence that was used, and its last value
SELECT s.schemaname::text AS schema, s.sequencename::text AS name, s.last_value
FROM pg_catalog.pg_sequences AS s
WHERE s.last_value IS NOT NULL
ORDER BY s.schemaname, s.sequencename

-- one row is a sequence that now goes on behind this value, if it is there and was behind
SELECT pg_catalog.setval(
    pg_catalog.quote_ident(s.schemaname) || '.' || pg_catalog.quote_ident(s.sequencename), %(last)s::bigint
)
FROM pg_catalog.pg_sequences AS s
WHERE s.schemaname OPERATOR(pg_catalog.=) %(schema)s AND s.sequencename OPERATOR(pg_catalog.=) %(name)s
  AND COALESCE(s.last_value OPERATOR(pg_catalog.<) %(last)s::bigint, TRUE)
  AND %(last)s::bigint OPERATOR(pg_catalog.<=) s.max_value

-- One row is one name that is taken in a schema, by a relation, a type or a constraint.
SELECT c.relname::text AS name
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) c.relnamespace)
WHERE n.nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
UNION
SELECT con.conname::text
FROM pg_catalog.pg_constraint AS con
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) con.connamespace)
WHERE n.nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
UNION
SELECT f.proname::text
FROM pg_catalog.pg_proc AS f
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) f.pronamespace)
WHERE n.nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
UNION
SELECT t.tgname::text
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON (c.oid OPERATOR(pg_catalog.=) t.tgrelid)
JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) c.relnamespace)
WHERE n.nspname OPERATOR(pg_catalog.=) %(schema)s::pg_catalog.name
ORDER BY 1

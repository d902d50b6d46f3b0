-- One row: a CHECK constraint, a default, a generated column or a column of a domain without NULL of a given relation.
-- This locks their tables as any query does.
WITH RECURSIVE domain(oid, base, refuses) AS (
    SELECT t.oid, t.typbasetype, t.typnotnull FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.typbasetype, t.typnotnull
    FROM domain AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.base
    WHERE t.typtype = 'd'
)
SELECT con.conrelid AS relation, 'check' AS kind, con.conname::text AS name,
    pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression
FROM pg_catalog.pg_constraint AS con
WHERE con.contype = 'c' AND con.conenforced AND con.conrelid = ANY (%(relations)s::oid[])
UNION ALL
SELECT d.adrelid, CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated' END, a.attname::text,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attrdef AS d
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = ANY (%(relations)s::oid[])
UNION ALL
SELECT a.attrelid, 'domain', a.attname::text, ''
FROM pg_catalog.pg_attribute AS a
JOIN domain ON domain.oid = a.atttypid AND domain.refuses
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2, 3

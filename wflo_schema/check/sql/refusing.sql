-- One row: a CHECK constraint, a default, a generated column, or what a column's domain demands, of a given relation.
-- This locks their tables as any query does.
WITH RECURSIVE domain(oid, part, base, is_not_null) AS (
    SELECT t.oid, t.oid, t.typbasetype, t.typnotnull FROM pg_catalog.pg_type AS t WHERE t.typtype = 'd'
    UNION ALL
    SELECT d.oid, t.oid, t.typbasetype, t.typnotnull
    FROM domain AS d
    JOIN pg_catalog.pg_type AS t ON t.oid = d.base
    WHERE t.typtype = 'd'
), demand(oid, expression) AS (
    SELECT d.oid, 'VALUE IS NOT NULL' FROM domain AS d WHERE d.is_not_null
    UNION ALL
    SELECT d.oid, pg_catalog.pg_get_expr(con.conbin, 0)
    FROM domain AS d
    JOIN pg_catalog.pg_constraint AS con ON con.contypid = d.part AND con.contype = 'c'
)
SELECT con.conrelid AS relation, 'check' AS kind, con.conname::text AS name,
    pg_catalog.pg_get_expr(con.conbin, con.conrelid) AS expression, con.convalidated AS is_validated
FROM pg_catalog.pg_constraint AS con
WHERE con.contype = 'c' AND con.conenforced AND con.conrelid = ANY (%(relations)s::oid[])
UNION ALL
SELECT d.adrelid, CASE a.attgenerated WHEN '' THEN 'default' ELSE 'generated' END, a.attname::text,
    pg_catalog.pg_get_expr(d.adbin, d.adrelid), true
FROM pg_catalog.pg_attrdef AS d
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE d.adrelid = ANY (%(relations)s::oid[])
UNION ALL
SELECT a.attrelid, 'default', a.attname::text, pg_catalog.pg_get_expr(t.typdefaultbin, 0), true
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid AND t.typdefaultbin IS NOT NULL
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.atthasdef
UNION ALL
SELECT a.attrelid, 'domain', a.attname::text, d.expression, true
FROM pg_catalog.pg_attribute AS a
JOIN demand AS d ON d.oid = a.atttypid
WHERE a.attrelid = ANY (%(relations)s::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY 1, 2, 3, 4

-- One row is one schema, or the whole database where none are given, and a hash of all that one query finds there.
-- Neither a schema's own name counts, nor those of the role that owns it and of the role that is called as it is.
WITH own AS MATERIALIZED (
    SELECT
        g.schema AS schema,
        CASE WHEN g.schema <> '' THEN
            pg_catalog.split_part(pg_catalog.replace(g.schema, '"', '""'), '''', 1)
        END AS within,
        E'(?<![\\w$."])(?:' || CASE pg_catalog.quote_ident(g.schema) WHEN g.schema THEN e.plain || '|' ELSE '' END
        || '"' || pg_catalog.replace(e.quoted, '''', E'\'{1,2}') || E'")(?=\\.)' AS qualifier,
        E'(?n)^( SET search_path TO (?:.*, )?)''' || pg_catalog.replace(e.plain, '''', '''''') || E'''(?=,|$)' AS in_path,
        o.rolname::text AS owner,
        '(^|, )([+-]?)(?:' || pg_catalog.regexp_replace(
            pg_catalog.quote_ident(o.rolname), E'[][(){}.*+?^$|\\\\-]', E'\\\\\\&', 'g') || ') ' AS to_owner,
        '(^|, )([+-]?)(?:' || pg_catalog.regexp_replace(
            pg_catalog.quote_ident(g.schema), E'[][(){}.*+?^$|\\\\-]', E'\\\\\\&', 'g') || ') ' AS to_namesake
    FROM pg_catalog.unnest(COALESCE(%(schemas)s::text[], ARRAY[''])) AS g(schema)
    CROSS JOIN LATERAL (
        SELECT
            pg_catalog.regexp_replace(g.schema, E'[][(){}.*+?^$|\\\\-]', E'\\\\\\&', 'g') AS plain,
            pg_catalog.regexp_replace(
                pg_catalog.replace(g.schema, '"', '""'), E'[][(){}.*+?^$|\\\\-]', E'\\\\\\&', 'g') AS quoted) AS e
    LEFT JOIN pg_catalog.pg_namespace AS n ON (n.nspname = g.schema)
    LEFT JOIN pg_catalog.pg_roles AS o ON (o.oid = n.nspowner)
)
SELECT
    o.schema AS schema,
    pg_catalog.encode(pg_catalog.sha256(pg_catalog.string_agg(o.hash, '' ORDER BY o.hash)), 'hex') AS hash
FROM (
    SELECT
        f.schema AS schema,
        (SELECT pg_catalog.sha256(pg_catalog.textsend(pg_catalog.jsonb_object_agg(a.key, (
             CASE
                 WHEN a.key LIKE '%%options' OR a.key = 'privileges' THEN
                     (SELECT pg_catalog.string_agg(p.part, ', ' ORDER BY p.part COLLATE "C")
                      FROM pg_catalog.string_to_table(r.text, ', ') AS p(part))
                 ELSE r.text
             END))::text))
         FROM (
             SELECT e.key, e.value, false AS is_name
             FROM pg_catalog.jsonb_each_text(f.attributes) AS e
             WHERE NOT (e.key = 'position' AND f.attributes ? 'inherited')
               AND NOT (e.key = 'not_null_constraint' AND e.value ~ '_not_null[0-9]*$')
             UNION ALL
             SELECT 'path ' || p.place, p.name, NOT (
                 p.place = pg_catalog.cardinality(f.path) AND f.kind = ANY (%(with_arguments)s::text[]))
             FROM pg_catalog.unnest(f.path) WITH ORDINALITY AS p(name, place)
             WHERE f.within IS NULL
                OR p.place <> CASE f.kind WHEN 'default privileges' THEN 2 ELSE 1 END) AS a
         CROSS JOIN LATERAL (
             SELECT CASE
                 WHEN f.kind IN ('function', 'procedure') AND pg_catalog.strpos(a.value, '/*wflo-schema<*/') > 0
                     THEN pg_catalog.regexp_replace(a.value, %(marked)s, '', 'g')
                 ELSE a.value
             END AS text) AS c
         CROSS JOIN LATERAL (
             SELECT CASE
                 WHEN %(made_in)s::text IS NULL OR a.is_name THEN c.text
                 ELSE pg_catalog.replace(c.text, %(made_in)s, %(stands_for)s)
             END AS text) AS m
         CROSS JOIN LATERAL (
             SELECT CASE
                 WHEN a.is_name OR f.within IS NULL OR pg_catalog.strpos(m.text, f.within) = 0 THEN m.text
                 ELSE pg_catalog.regexp_replace(
                     pg_catalog.regexp_replace(m.text, f.qualifier, E'\x01', 'g'), f.in_path, E'\\1''\x01''', 'g')
             END AS text) AS t
         CROSS JOIN LATERAL (
             SELECT CASE
                 WHEN f.within IS NULL THEN t.text
                 WHEN a.key = 'owner' OR (a.key = 'path 1' AND f.kind = 'default privileges') THEN
                     CASE t.text WHEN f.owner THEN E'\x02' WHEN f.schema THEN E'\x03' ELSE t.text END
                 WHEN a.key = 'privileges' THEN
                     pg_catalog.regexp_replace(
                         pg_catalog.regexp_replace(t.text, f.to_owner, E'\\1\\2\x02 ', 'g'),
                         f.to_namesake, E'\\1\\2\x03 ', 'g')
                 ELSE t.text
             END AS text) AS r) AS hash
    FROM (
        SELECT r.kind, r.path, r.attributes, s.*
        FROM (
{rows}
            OFFSET 0  -- so that each row is made once, and not wherever it is looked at
        ) AS r
        JOIN own AS s ON (
            s.schema = CASE
                WHEN %(schemas)s::text[] IS NULL THEN ''
                WHEN r.kind = 'default privileges' THEN r.path[2]
                ELSE r.path[1]
            END)
        WHERE (r.kind = 'schema' AND r.path[1] = %(apart)s) IS NOT TRUE) AS f) AS o
GROUP BY o.schema
ORDER BY o.schema

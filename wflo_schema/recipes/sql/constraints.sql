-- One row is one constraint of a table, or a foreign key of another that points to it.
SELECT
    con.conname::text AS name,
    con.contype::text AS type,
    con.conrelid::bigint AS of_oid,
    con.confrelid::bigint AS to_oid,
    con.convalidated AS is_valid,
    con.conparentid <> 0 OR con.coninhcount > 0 AS is_inherited,
    pg_catalog.pg_get_constraintdef(con.oid) AS definition,
    COALESCE(ic.relname::text, '') AS index,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a
            ON (a.attrelid OPERATOR(pg_catalog.=) con.conrelid AND a.attnum OPERATOR(pg_catalog.=) k.number)
        ORDER BY k.place) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(con.confkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a
            ON (a.attrelid OPERATOR(pg_catalog.=) con.confrelid AND a.attnum OPERATOR(pg_catalog.=) k.number)
        ORDER BY k.place) AS to_columns
FROM pg_catalog.pg_constraint AS con
LEFT JOIN pg_catalog.pg_class AS ic ON (ic.oid OPERATOR(pg_catalog.=) con.conindid AND con.contype IN ('p', 'u', 'x'))
WHERE con.contype IN ('c', 'f', 'p', 'u', 'x')
  AND (con.conrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
       OR con.confrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid)
ORDER BY con.contype, con.conname, con.conrelid

-- One row is one index of a table; its columns end where the first expression stands.
SELECT
    ic.relname::text AS name,
    i.indisunique AS is_unique,
    i.indisvalid AND i.indisready AS is_valid,
    i.indpred IS NOT NULL AS is_partial,
    i.indexprs IS NOT NULL AS has_expressions,
    i.indimmediate AS is_immediate,
    am.amname::text AS method,
    con.conname IS NOT NULL AS is_of_constraint,
    pg_catalog.pg_get_indexdef(i.indexrelid) AS definition,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a
            ON (a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.number)
        WHERE k.place <= i.indnkeyatts
        ORDER BY k.place) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(i.indkey::smallint[]) AS k(number)
        JOIN pg_catalog.pg_attribute AS a
            ON (a.attrelid OPERATOR(pg_catalog.=) i.indrelid AND a.attnum OPERATOR(pg_catalog.=) k.number)
        UNION
        SELECT a.attname::text
        FROM pg_catalog.pg_depend AS d
        JOIN pg_catalog.pg_attribute AS a
            ON (a.attrelid OPERATOR(pg_catalog.=) d.refobjid AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid)
        WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass
          AND d.objid OPERATOR(pg_catalog.=) i.indexrelid
          AND d.refobjid OPERATOR(pg_catalog.=) i.indrelid) AS uses
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_class AS ic ON (ic.oid OPERATOR(pg_catalog.=) i.indexrelid)
JOIN pg_catalog.pg_am AS am ON (am.oid OPERATOR(pg_catalog.=) ic.relam)
LEFT JOIN pg_catalog.pg_constraint AS con
    ON (con.conrelid OPERATOR(pg_catalog.=) i.indrelid
        AND con.conindid OPERATOR(pg_catalog.=) i.indexrelid
        AND con.contype IN ('p', 'u', 'x'))
WHERE i.indrelid OPERATOR(pg_catalog.=) %(oid)s::pg_catalog.oid
ORDER BY ic.relname

-- One row: a foreign key on one of the given relations, or one tied to it as partitions' keys are (conparentid).
-- "top" is the uppermost of those tied together.
WITH RECURSIVE up(oid, conparentid) AS (
    SELECT
        con.oid AS oid,
        con.conparentid AS conparentid
    FROM pg_catalog.pg_constraint AS con
    WHERE con.contype = 'f' AND con.conrelid = ANY (%(relations)s::oid[])
    UNION
    SELECT
        parent.oid AS oid,
        parent.conparentid AS conparentid
    FROM up
    JOIN pg_catalog.pg_constraint AS parent ON parent.oid = up.conparentid
),
family(top, oid) AS (
    SELECT
        up.oid AS top,
        up.oid AS oid
    FROM up
    WHERE up.conparentid = 0
    UNION
    SELECT
        family.top AS top,
        con.oid AS oid
    FROM family
    JOIN pg_catalog.pg_constraint AS con ON con.conparentid = family.oid
)
SELECT
    con.oid AS oid,
    family.top AS top,
    con.conparentid AS parent,
    con.conname::text AS name,
    con.conrelid AS relation,
    n.nspname::text AS schema,
    c.relname::text AS "table",
    con.confrelid AS to_relation,
    fn.nspname::text AS to_schema,
    fc.relname::text AS to_table,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(con.conkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = k.attnum
        ORDER BY k.place
    ) AS columns,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(con.confkey) WITH ORDINALITY AS k(attnum, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.confrelid AND a.attnum = k.attnum
        ORDER BY k.place
    ) AS to_columns,
    ARRAY(
        SELECT a.attname::text
        FROM pg_catalog.unnest(con.confdelsetcols) AS k(attnum)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = con.conrelid AND a.attnum = k.attnum
        ORDER BY a.attname
    ) AS set_columns,
    con.confdeltype::text AS on_delete,
    con.confupdtype::text AS on_update,
    con.confmatchtype::text AS match,
    con.condeferrable AS is_deferrable,
    con.condeferred AS is_deferred,
    con.convalidated AS is_validated,
    con.conenforced AS is_enforced,
    con.conperiod AS is_period,
    ARRAY(
        SELECT pg_catalog.format('OPERATOR(%%I.%%s)', o_n.nspname, o.oprname)
        FROM pg_catalog.unnest(con.conpfeqop) WITH ORDINALITY AS k(oid, place)
        JOIN pg_catalog.pg_operator AS o ON o.oid = k.oid
        JOIN pg_catalog.pg_namespace AS o_n ON o_n.oid = o.oprnamespace
        ORDER BY k.place
    ) AS operators,
    ARRAY(
        SELECT pg_catalog.format_type(o.oprleft, -1)
        FROM pg_catalog.unnest(con.conpfeqop) WITH ORDINALITY AS k(oid, place)
        JOIN pg_catalog.pg_operator AS o ON o.oid = k.oid
        ORDER BY k.place
    ) AS left_types,
    ARRAY(
        SELECT pg_catalog.format_type(o.oprright, -1)
        FROM pg_catalog.unnest(con.conpfeqop) WITH ORDINALITY AS k(oid, place)
        JOIN pg_catalog.pg_operator AS o ON o.oid = k.oid
        ORDER BY k.place
    ) AS right_types,
    NOT EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(con.conkey) AS k(attnum)
        WHERE NOT pg_catalog.has_column_privilege(c.relowner, c.oid, k.attnum, 'SELECT')
    ) AS owner_reads,
    NOT EXISTS (
        SELECT 1
        FROM pg_catalog.unnest(con.confkey) AS k(attnum)
        WHERE NOT pg_catalog.has_column_privilege(fc.relowner, fc.oid, k.attnum, 'SELECT')
    ) AS to_owner_reads
FROM family
JOIN pg_catalog.pg_constraint AS con ON con.oid = family.oid
JOIN pg_catalog.pg_class AS c ON c.oid = con.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS fc ON fc.oid = con.confrelid
JOIN pg_catalog.pg_namespace AS fn ON fn.oid = fc.relnamespace
WHERE con.oid = ANY (ARRAY(SELECT member.oid FROM family AS member))
ORDER BY con.oid

-- one row: something in the database that bears one of these names, and that a repeatable file may make
-- ($1: the names; version: another one once it was changed or made anew; shape: a relation's columns and their types;
-- is_ours: this transaction changed it, or made it: what is seen of a transaction that goes on is one's own;
-- is_near: a bare name leads to its schema first; lines with "-- places" are left out to look everywhere:
-- $2: schemas, besides those to which a bare name leads; $3: relations in these, whose triggers, policies and rules are meant)
WITH near AS ( -- places
    SELECT n.oid AS oid -- places
    FROM pg_catalog.pg_namespace AS n -- places
    WHERE n.nspname OPERATOR(pg_catalog.=) ANY ($2::pg_catalog.name[]) -- places
        OR n.nspname OPERATOR(pg_catalog.=) ANY (pg_catalog.current_schemas(FALSE)) -- places
), -- places
relations AS ( -- places
    SELECT c.oid AS oid -- places
    FROM pg_catalog.pg_class AS c -- places
    WHERE c.relname OPERATOR(pg_catalog.=) ANY ($3::pg_catalog.name[]) -- places
        AND c.relnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
) -- places

SELECT
    o.classid::pg_catalog.oid AS classid,
    o.objid AS objid,
    i.type AS type,
    i.identity AS identity,
    o.name AS name,
    o.version AS version,
    COALESCE(
        (
            SELECT
                pg_catalog.string_agg(
                    pg_catalog.concat_ws(
                        pg_catalog.chr(31),
                        a.attname,
                        pg_catalog.format_type(a.atttypid, a.atttypmod),
                        a.attcollation
                    ),
                    pg_catalog.chr(30)
                    ORDER BY a.attnum
                )
            FROM pg_catalog.pg_attribute AS a
            WHERE a.attrelid OPERATOR(pg_catalog.=) o.relid
                AND a.attnum OPERATOR(pg_catalog.>) 0
                AND NOT a.attisdropped
        ),
        ''
    ) AS shape,
    COALESCE(
        CASE
            WHEN x.number OPERATOR(pg_catalog.<) me.began THEN FALSE
            WHEN x.number OPERATOR(pg_catalog.>) (me.began OPERATOR(pg_catalog.+) 1073741824) THEN FALSE
            WHEN x.number OPERATOR(pg_catalog.>=) me.ended THEN TRUE
            ELSE pg_catalog.pg_xact_status(x.number::text::pg_catalog.xid8) OPERATOR(pg_catalog.=) 'in progress'
        END,
        FALSE
    ) AS is_ours,
    i.schema AS schema,
    COALESCE(i.schema OPERATOR(pg_catalog.=) pg_catalog.current_schema(), FALSE) AS is_near
FROM (
    SELECT 'pg_catalog.pg_class'::pg_catalog.regclass, c.oid, c.relname::text, pg_catalog.concat(c.xmin, c.ctid), c.oid
    FROM pg_catalog.pg_class AS c
    WHERE c.relname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND c.relnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
        AND c.relkind OPERATOR(pg_catalog.=) ANY ('{v,m}'::"char"[])
    UNION ALL
    SELECT 'pg_catalog.pg_proc'::pg_catalog.regclass, p.oid, p.proname::text, pg_catalog.concat(p.xmin, p.ctid), NULL
    FROM pg_catalog.pg_proc AS p
    WHERE p.proname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND p.pronamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_trigger'::pg_catalog.regclass, t.oid, t.tgname::text, pg_catalog.concat(t.xmin, t.ctid), NULL
    FROM pg_catalog.pg_trigger AS t
    WHERE t.tgname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND t.tgrelid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT f.oid FROM relations AS f)) -- places
        AND NOT t.tgisinternal
        AND t.tgparentid OPERATOR(pg_catalog.=) 0::pg_catalog.oid
    UNION ALL
    SELECT 'pg_catalog.pg_policy'::pg_catalog.regclass, p.oid, p.polname::text, pg_catalog.concat(p.xmin, p.ctid), NULL
    FROM pg_catalog.pg_policy AS p
    WHERE p.polname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND p.polrelid OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT f.oid FROM relations AS f)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_rewrite'::pg_catalog.regclass, r.oid, r.rulename::text, pg_catalog.concat(r.xmin, r.ctid), NULL
    FROM pg_catalog.pg_rewrite AS r
    WHERE r.rulename OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND r.ev_class OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT f.oid FROM relations AS f)) -- places
        AND r.rulename OPERATOR(pg_catalog.<>) '_RETURN'::text
    UNION ALL
    SELECT 'pg_catalog.pg_type'::pg_catalog.regclass, t.oid, t.typname::text, pg_catalog.concat(t.xmin, t.ctid), t.typrelid
    FROM pg_catalog.pg_type AS t
    LEFT JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) t.typrelid
    WHERE t.typname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND t.typnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
        AND (c.oid IS NULL OR c.relkind OPERATOR(pg_catalog.=) 'c'::"char")
        AND t.typtype OPERATOR(pg_catalog.=) ANY ('{c,d,e,r}'::"char"[])
    UNION ALL
    SELECT 'pg_catalog.pg_operator'::pg_catalog.regclass, o.oid, o.oprname::text, pg_catalog.concat(o.xmin, o.ctid), NULL
    FROM pg_catalog.pg_operator AS o
    WHERE o.oprname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND o.oprnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_collation'::pg_catalog.regclass, c.oid, c.collname::text, pg_catalog.concat(c.xmin, c.ctid), NULL
    FROM pg_catalog.pg_collation AS c
    WHERE c.collname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND c.collnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_ts_config'::pg_catalog.regclass, c.oid, c.cfgname::text, pg_catalog.concat(c.xmin, c.ctid), NULL
    FROM pg_catalog.pg_ts_config AS c
    WHERE c.cfgname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND c.cfgnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_ts_dict'::pg_catalog.regclass, d.oid, d.dictname::text, pg_catalog.concat(d.xmin, d.ctid), NULL
    FROM pg_catalog.pg_ts_dict AS d
    WHERE d.dictname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND d.dictnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass, s.oid, s.stxname::text, pg_catalog.concat(s.xmin, s.ctid), NULL
    FROM pg_catalog.pg_statistic_ext AS s
    WHERE s.stxname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
        AND s.stxnamespace OPERATOR(pg_catalog.=) ANY (ARRAY(SELECT n.oid FROM near AS n)) -- places
    UNION ALL
    SELECT 'pg_catalog.pg_event_trigger'::pg_catalog.regclass, e.oid, e.evtname::text, pg_catalog.concat(e.xmin, e.ctid), NULL
    FROM pg_catalog.pg_event_trigger AS e
    WHERE e.evtname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[])
) AS o (classid, objid, name, version, relid)
CROSS JOIN LATERAL pg_catalog.pg_identify_object(o.classid, o.objid, 0) AS i
CROSS JOIN (
    SELECT
        pg_catalog.pg_current_xact_id_if_assigned()::text::bigint,
        pg_catalog.pg_snapshot_xmax(pg_catalog.pg_current_snapshot())::text::bigint
) AS me (began, ended)
CROSS JOIN LATERAL (
    -- a version begins with the last 32 bits of the number of the transaction that wrote it
    SELECT pg_catalog.split_part(o.version, '(', 1)::bigint, me.began OPERATOR(pg_catalog.&) 4294967295
) AS v (bits, began)
CROSS JOIN LATERAL (
    SELECT
        ((me.began OPERATOR(pg_catalog.-) v.began) OPERATOR(pg_catalog.+) v.bits) OPERATOR(pg_catalog.+) (
            CASE
                WHEN v.bits OPERATOR(pg_catalog.<) (v.began OPERATOR(pg_catalog.-) 2147483648) THEN 4294967296
                ELSE 0
            END
        )
) AS x (number)
WHERE pg_catalog.left(i.schema, 7) IS DISTINCT FROM 'pg_temp'
    AND i.schema IS DISTINCT FROM 'pg_catalog'
    AND i.schema IS DISTINCT FROM 'information_schema'
ORDER BY i.type, i.identity

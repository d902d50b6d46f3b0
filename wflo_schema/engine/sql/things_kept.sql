-- one row: a statement that gives one of these things again what CREATE does not say, when it is made anew
-- ($1, $2: catalogs and objects, paired; column_name: it is about that column; part: it makes that index or trigger, or is about it;
-- what: of which kind it is)
WITH things AS (
    SELECT
        s.classid,
        s.objid,
        i.type,
        i.identity,
        CASE
            WHEN i.type OPERATOR(pg_catalog.=) ANY ('{view,"materialized view"}'::text[]) THEN 'TABLE'
            WHEN i.type OPERATOR(pg_catalog.=) ANY ('{function,procedure,aggregate}'::text[]) THEN 'ROUTINE'
            WHEN i.type OPERATOR(pg_catalog.=) 'type'::text THEN 'TYPE'
        END AS grant_word,
        COALESCE(c.relowner, p.proowner, t.typowner) AS owner,
        COALESCE(
            c.relacl,
            p.proacl,
            t.typacl,
            pg_catalog.acldefault(
                CASE WHEN c.oid IS NOT NULL THEN 'r' WHEN p.oid IS NOT NULL THEN 'f' ELSE 'T' END::"char",
                COALESCE(c.relowner, p.proowner, t.typowner)
            )
        ) AS acl,
        c.relkind,
        c.reloptions,
        t.typrelid
    FROM ROWS FROM (pg_catalog.unnest($1::pg_catalog.oid[]), pg_catalog.unnest($2::pg_catalog.oid[])) AS s (classid, objid)
    CROSS JOIN LATERAL pg_catalog.pg_identify_object(s.classid, s.objid, 0) AS i
    LEFT JOIN pg_catalog.pg_class AS c
        ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND c.oid OPERATOR(pg_catalog.=) s.objid
    LEFT JOIN pg_catalog.pg_proc AS p
        ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass::pg_catalog.oid
        AND p.oid OPERATOR(pg_catalog.=) s.objid
    LEFT JOIN pg_catalog.pg_type AS t
        ON s.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass::pg_catalog.oid
        AND t.oid OPERATOR(pg_catalog.=) s.objid
)

SELECT
    k.type,
    k.identity,
    k.what,
    COALESCE(k.column_name, '') AS column_name,
    COALESCE(k.part, '') AS part,
    k.statement
FROM (
    SELECT
        h.type,
        h.identity,
        'owner' AS what,
        1 AS rank,
        NULL::text AS column_name,
        NULL::text AS part,
        pg_catalog.format('ALTER %s %s OWNER TO %I', pg_catalog.upper(h.type), h.identity, r.rolname) AS statement
    FROM things AS h
    JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) h.owner
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'options',
        2,
        NULL,
        NULL,
        pg_catalog.format(
            'ALTER %s %s SET (%I = %L)',
            pg_catalog.upper(h.type),
            h.identity,
            pg_catalog.split_part(o.option, '=', 1),
            pg_catalog.substr(o.option, pg_catalog.strpos(o.option, '=') OPERATOR(pg_catalog.+) 1)
        )
    FROM things AS h
    CROSS JOIN LATERAL pg_catalog.unnest(h.reloptions) AS o (option)
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'default',
        3,
        a.attname,
        NULL,
        pg_catalog.format(
            'ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s',
            h.identity,
            a.attname,
            pg_catalog.pg_get_expr(d.adbin, d.adrelid)
        )
    FROM things AS h
    JOIN pg_catalog.pg_attrdef AS d
        ON d.adrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind OPERATOR(pg_catalog.=) 'v'::"char"
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid OPERATOR(pg_catalog.=) d.adrelid AND a.attnum OPERATOR(pg_catalog.=) d.adnum
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'statistics',
        3,
        a.attname,
        NULL,
        pg_catalog.format(
            'ALTER MATERIALIZED VIEW %s ALTER COLUMN %I SET STATISTICS %s', h.identity, a.attname, a.attstattarget
        )
    FROM things AS h
    JOIN pg_catalog.pg_attribute AS a
        ON a.attrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind OPERATOR(pg_catalog.=) 'm'::"char"
    WHERE a.attnum OPERATOR(pg_catalog.>) 0
        AND NOT a.attisdropped
        AND COALESCE(a.attstattarget, -1) OPERATOR(pg_catalog.>=) 0
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'index',
        4,
        NULL,
        c.relname,
        pg_catalog.pg_get_indexdef(x.indexrelid)
    FROM things AS h
    JOIN pg_catalog.pg_index AS x
        ON x.indrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind OPERATOR(pg_catalog.=) 'm'::"char"
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) x.indexrelid
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'index comment',
        5,
        NULL,
        c.relname,
        pg_catalog.format('COMMENT ON INDEX %I.%I IS %L', n.nspname, c.relname, m.description)
    FROM things AS h
    JOIN pg_catalog.pg_index AS x
        ON x.indrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind OPERATOR(pg_catalog.=) 'm'::"char"
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) x.indexrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
    JOIN pg_catalog.pg_description AS m
        ON m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND m.objoid OPERATOR(pg_catalog.=) c.oid
        AND m.objsubid OPERATOR(pg_catalog.=) 0
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'cluster',
        6,
        NULL,
        c.relname,
        pg_catalog.format('ALTER MATERIALIZED VIEW %s CLUSTER ON %I', h.identity, c.relname)
    FROM things AS h
    JOIN pg_catalog.pg_index AS x
        ON x.indrelid OPERATOR(pg_catalog.=) h.objid
        AND x.indisclustered
        AND h.relkind OPERATOR(pg_catalog.=) 'm'::"char"
    JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) x.indexrelid
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'statistics',
        6,
        NULL,
        s.stxname,
        pg_catalog.pg_get_statisticsobjdef(s.oid)
    FROM things AS h
    JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind IS NOT NULL
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'statistics comment',
        7,
        NULL,
        s.stxname,
        pg_catalog.format('COMMENT ON STATISTICS %I.%I IS %L', n.nspname, s.stxname, m.description)
    FROM things AS h
    JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind IS NOT NULL
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) s.stxnamespace
    JOIN pg_catalog.pg_description AS m
        ON m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass::pg_catalog.oid
        AND m.objoid OPERATOR(pg_catalog.=) s.oid
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'statistics target',
        7,
        NULL,
        s.stxname,
        pg_catalog.format('ALTER STATISTICS %I.%I SET STATISTICS %s', n.nspname, s.stxname, s.stxstattarget)
    FROM things AS h
    JOIN pg_catalog.pg_statistic_ext AS s ON s.stxrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind IS NOT NULL
    JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) s.stxnamespace
    WHERE COALESCE(s.stxstattarget, -1) OPERATOR(pg_catalog.>=) 0
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'trigger',
        7,
        NULL,
        t.tgname,
        pg_catalog.pg_get_triggerdef(t.oid)
    FROM things AS h
    JOIN pg_catalog.pg_trigger AS t
        ON t.tgrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind IS NOT NULL AND NOT t.tgisinternal
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'trigger comment',
        8,
        NULL,
        t.tgname,
        pg_catalog.format('COMMENT ON TRIGGER %I ON %s IS %L', t.tgname, h.identity, m.description)
    FROM things AS h
    JOIN pg_catalog.pg_trigger AS t
        ON t.tgrelid OPERATOR(pg_catalog.=) h.objid AND h.relkind IS NOT NULL AND NOT t.tgisinternal
    JOIN pg_catalog.pg_description AS m
        ON m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid
        AND m.objoid OPERATOR(pg_catalog.=) t.oid
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'state',
        8,
        NULL,
        NULL,
        pg_catalog.format(
            'ALTER TABLE %s %s TRIGGER %I',
            t.tgrelid::pg_catalog.regclass,
            CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' ELSE 'ENABLE ALWAYS' END,
            t.tgname
        )
    FROM things AS h
    JOIN pg_catalog.pg_trigger AS t
        ON h.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_trigger'::pg_catalog.regclass::pg_catalog.oid
        AND t.oid OPERATOR(pg_catalog.=) h.objid
        AND t.tgenabled OPERATOR(pg_catalog.<>) 'O'::"char"
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'rule',
        9,
        NULL,
        w.rulename,
        pg_catalog.pg_get_ruledef(w.oid)
    FROM things AS h
    JOIN pg_catalog.pg_rewrite AS w
        ON w.ev_class OPERATOR(pg_catalog.=) h.objid
        AND h.relkind IS NOT NULL
        AND w.rulename OPERATOR(pg_catalog.<>) '_RETURN'::text
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'rule comment',
        10,
        NULL,
        w.rulename,
        pg_catalog.format('COMMENT ON RULE %I ON %s IS %L', w.rulename, h.identity, m.description)
    FROM things AS h
    JOIN pg_catalog.pg_rewrite AS w
        ON w.ev_class OPERATOR(pg_catalog.=) h.objid
        AND h.relkind IS NOT NULL
        AND w.rulename OPERATOR(pg_catalog.<>) '_RETURN'::text
    JOIN pg_catalog.pg_description AS m
        ON m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass::pg_catalog.oid
        AND m.objoid OPERATOR(pg_catalog.=) w.oid
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'comment',
        10,
        a.attname,
        NULL,
        CASE
            WHEN a.attname IS NOT NULL
                THEN pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', h.identity, a.attname, m.description)
            ELSE pg_catalog.format(
                'COMMENT ON %s %s IS %L',
                pg_catalog.replace(pg_catalog.upper(h.type), ' OBJECT', ''),
                h.identity,
                m.description
            )
        END
    FROM things AS h
    JOIN pg_catalog.pg_description AS m
        ON (m.classoid OPERATOR(pg_catalog.=) h.classid AND m.objoid OPERATOR(pg_catalog.=) h.objid)
        OR (
            m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
            AND m.objoid OPERATOR(pg_catalog.=) h.typrelid
            AND h.typrelid OPERATOR(pg_catalog.<>) 0::pg_catalog.oid
        )
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON m.classoid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass::pg_catalog.oid
        AND a.attrelid OPERATOR(pg_catalog.=) m.objoid
        AND a.attnum OPERATOR(pg_catalog.=) m.objsubid
        AND m.objsubid OPERATOR(pg_catalog.>) 0
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'label',
        11,
        a.attname,
        NULL,
        pg_catalog.format(
            'SECURITY LABEL FOR %I ON %s %s IS %L',
            l.provider,
            CASE WHEN a.attname IS NULL THEN pg_catalog.upper(h.type) ELSE 'COLUMN' END,
            CASE
                WHEN a.attname IS NULL THEN h.identity
                ELSE pg_catalog.format('%s.%I', h.identity, a.attname)
            END,
            l.label
        )
    FROM things AS h
    JOIN pg_catalog.pg_seclabel AS l
        ON l.classoid OPERATOR(pg_catalog.=) h.classid AND l.objoid OPERATOR(pg_catalog.=) h.objid
    LEFT JOIN pg_catalog.pg_attribute AS a
        ON h.relkind IS NOT NULL
        AND a.attrelid OPERATOR(pg_catalog.=) h.objid
        AND a.attnum OPERATOR(pg_catalog.=) l.objsubid
        AND l.objsubid OPERATOR(pg_catalog.>) 0
    UNION ALL
    SELECT
        h.type,
        h.identity,
        'grant',
        CASE WHEN g.grantor OPERATOR(pg_catalog.=) h.owner THEN 12 ELSE 13 END,
        g.column_name,
        NULL,
        CASE
            WHEN g.grantor OPERATOR(pg_catalog.=) h.owner OR o.rolname IS NULL THEN s.statement
            ELSE pg_catalog.format(
                'DO %L',
                pg_catalog.format(
                    'DECLARE r text := pg_catalog.current_setting(''role''); BEGIN SET LOCAL ROLE %I; %s; '
                    'PERFORM pg_catalog.set_config(''role'', r, true); '
                    'EXCEPTION WHEN insufficient_privilege THEN %s; END',
                    o.rolname,
                    s.statement,
                    s.statement
                )
            )
        END
    FROM things AS h
    CROSS JOIN LATERAL (
        SELECT NULL::text AS column_name, e.grantor, e.grantee, e.privilege_type, e.is_grantable
        FROM pg_catalog.aclexplode(h.acl) AS e
        UNION ALL
        SELECT a.attname, e.grantor, e.grantee, e.privilege_type, e.is_grantable
        FROM pg_catalog.pg_attribute AS a
        CROSS JOIN LATERAL pg_catalog.aclexplode(a.attacl) AS e
        WHERE h.relkind IS NOT NULL
            AND a.attrelid OPERATOR(pg_catalog.=) h.objid
            AND NOT a.attisdropped
    ) AS g
    LEFT JOIN pg_catalog.pg_roles AS r ON r.oid OPERATOR(pg_catalog.=) g.grantee
    LEFT JOIN pg_catalog.pg_roles AS o ON o.oid OPERATOR(pg_catalog.=) g.grantor
    CROSS JOIN LATERAL pg_catalog.format(
        'GRANT %s%s ON %s %s TO %s%s',
        g.privilege_type,
        CASE WHEN g.column_name IS NULL THEN '' ELSE pg_catalog.format(' (%I)', g.column_name) END,
        h.grant_word,
        h.identity,
        COALESCE(pg_catalog.quote_ident(r.rolname), 'PUBLIC'),
        CASE WHEN g.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END
    ) AS s (statement)
    WHERE h.grant_word IS NOT NULL
) AS k
WHERE k.statement IS NOT NULL
ORDER BY k.type, k.identity, k.rank, k.part, k.column_name, k.statement

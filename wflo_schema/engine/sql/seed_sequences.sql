-- one row: a sequence that gives a column its values, of a table that this transaction has put rows into, with the
-- largest value that it could have given
SELECT
    pg_catalog.quote_ident(sn.nspname) OPERATOR(pg_catalog.||) '.'::text
        OPERATOR(pg_catalog.||) pg_catalog.quote_ident(sc.relname) AS sequence,
    pg_catalog.quote_ident(tn.nspname) OPERATOR(pg_catalog.||) '.'::text
        OPERATOR(pg_catalog.||) pg_catalog.quote_ident(tc.relname) AS relation,
    pg_catalog.quote_ident(a.attname) AS name,
    CASE WHEN q.seqincrement OPERATOR(pg_catalog.<) 0::bigint THEN 'min' ELSE 'max' END AS side,
    q.seqmin::text AS least,
    q.seqmax::text AS most
FROM pg_catalog.pg_depend AS d
JOIN pg_catalog.pg_class AS sc ON sc.oid OPERATOR(pg_catalog.=) d.objid
JOIN pg_catalog.pg_namespace AS sn ON sn.oid OPERATOR(pg_catalog.=) sc.relnamespace
JOIN pg_catalog.pg_sequence AS q ON q.seqrelid OPERATOR(pg_catalog.=) sc.oid
JOIN pg_catalog.pg_class AS tc ON tc.oid OPERATOR(pg_catalog.=) d.refobjid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid OPERATOR(pg_catalog.=) tc.relnamespace
JOIN pg_catalog.pg_attribute AS a
    ON a.attrelid OPERATOR(pg_catalog.=) d.refobjid AND a.attnum OPERATOR(pg_catalog.=) d.refobjsubid
WHERE d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::regclass
    AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::regclass
    AND d.deptype OPERATOR(pg_catalog.=) ANY ('{a,i}'::"char"[])
    AND sc.relkind OPERATOR(pg_catalog.=) 'S'::"char"
    AND a.atttypid OPERATOR(pg_catalog.=) ANY ('{int2,int4,int8}'::regtype[]::oid[])
    AND pg_catalog.has_table_privilege(sc.oid, 'UPDATE'::text)
    AND pg_catalog.has_table_privilege(sc.oid, 'SELECT'::text)
    AND pg_catalog.has_column_privilege(tc.oid, a.attnum, 'SELECT'::text)
    AND EXISTS (
        SELECT
        FROM pg_catalog.pg_stat_xact_all_tables AS x
        WHERE x.n_tup_ins OPERATOR(pg_catalog.>) 0::bigint
            AND (
                x.relid OPERATOR(pg_catalog.=) tc.oid
                OR EXISTS (
                    SELECT
                    FROM pg_catalog.pg_partition_ancestors(x.relid) AS p (relid)
                    WHERE p.relid OPERATOR(pg_catalog.=) tc.oid::regclass
                )
            )
    )
ORDER BY sn.nspname, sc.relname

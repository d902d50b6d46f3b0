-- One row: one of the given foreign keys that compares with an operator that is not the equality of the unique index
-- it rests on.  Indexes of other methods than btree (403), which PERIOD keys use, are not looked at.
SELECT DISTINCT con.oid AS oid
FROM pg_catalog.pg_constraint AS con
LEFT JOIN pg_catalog.pg_index AS x ON x.indexrelid = con.conindid AND x.indrelid = con.confrelid AND x.indisunique
LEFT JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
CROSS JOIN LATERAL ROWS FROM (
    pg_catalog.unnest(con.confkey),
    pg_catalog.unnest(con.conpfeqop),
    pg_catalog.unnest(con.conppeqop),
    pg_catalog.unnest(con.conffeqop)
) AS k(attnum, pk_fk, pk_pk, fk_fk)
CROSS JOIN LATERAL pg_catalog.unnest(ARRAY[k.pk_fk, k.pk_pk, k.fk_fk]) AS o(oid)
WHERE
    con.oid = ANY (%(keys)s::oid[])
    AND (x.indexrelid IS NULL OR i.relam = 403)
    AND NOT EXISTS (
        SELECT 1
        FROM ROWS FROM (
            pg_catalog.unnest(x.indkey::smallint[]),
            pg_catalog.unnest(x.indclass::oid[])
        ) AS c(attnum, opclass)
        JOIN pg_catalog.pg_opclass AS oc ON oc.oid = c.opclass
        JOIN pg_catalog.pg_amop AS a ON a.amopfamily = oc.opcfamily AND a.amopstrategy = 3 AND a.amoppurpose = 's'
        WHERE c.attnum = k.attnum AND a.amopopr = o.oid
    )
ORDER BY con.oid

-- one row: an index that is like another, older one of the same table in all but its name, and that other's name
SELECT
    n.nspname::text AS schema,
    c.relname::text AS name,
    later.relname::text AS index,
    earlier.relname::text AS twin
FROM pg_catalog.pg_index AS i
JOIN pg_catalog.pg_index AS o
    ON o.indrelid OPERATOR(pg_catalog.=) i.indrelid
    AND o.indexrelid OPERATOR(pg_catalog.<) i.indexrelid
    AND o.indkey::text OPERATOR(pg_catalog.=) i.indkey::text
    AND o.indclass::text OPERATOR(pg_catalog.=) i.indclass::text
    AND o.indcollation::text OPERATOR(pg_catalog.=) i.indcollation::text
    AND o.indoption::text OPERATOR(pg_catalog.=) i.indoption::text
    AND o.indnkeyatts OPERATOR(pg_catalog.=) i.indnkeyatts
    AND (o.indisunique OPERATOR(pg_catalog.=) i.indisunique OR NOT i.indisunique)
    AND pg_catalog.pg_get_expr(o.indexprs, o.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indexprs, i.indrelid)
    AND pg_catalog.pg_get_expr(o.indpred, o.indrelid) IS NOT DISTINCT FROM pg_catalog.pg_get_expr(i.indpred, i.indrelid)
JOIN pg_catalog.pg_class AS later ON later.oid OPERATOR(pg_catalog.=) i.indexrelid
JOIN pg_catalog.pg_class AS earlier
    ON earlier.oid OPERATOR(pg_catalog.=) o.indexrelid AND earlier.relam OPERATOR(pg_catalog.=) later.relam
JOIN pg_catalog.pg_class AS c ON c.oid OPERATOR(pg_catalog.=) i.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace
WHERE i.indisvalid AND o.indisvalid AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
  AND NOT EXISTS (
      SELECT FROM pg_catalog.pg_constraint AS x
      WHERE x.conindid OPERATOR(pg_catalog.=) i.indexrelid AND x.contype IN ('p', 'u', 'x', 'f'))
ORDER BY n.nspname, c.relname, later.relname, earlier.relname

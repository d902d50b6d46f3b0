-- one row: a schema that one of the patterns of LIKE fits, and that is neither the system's nor an extension's
SELECT n.nspname::text AS name
FROM pg_catalog.pg_namespace AS n
WHERE
    n.nspname::text OPERATOR(pg_catalog.~~) ANY (%(patterns)s::text[])
    AND n.nspname OPERATOR(pg_catalog.!~) '^pg_'
    AND n.nspname OPERATOR(pg_catalog.<>) 'information_schema'
    AND NOT EXISTS (
        SELECT
        FROM pg_catalog.pg_depend AS d
        WHERE
            d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
            AND d.objid OPERATOR(pg_catalog.=) n.oid
            AND d.deptype OPERATOR(pg_catalog.=) 'e'
    )
ORDER BY n.nspname::text COLLATE pg_catalog."C"

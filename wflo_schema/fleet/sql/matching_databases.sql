-- one row: a database that one of the patterns of LIKE fits, and that is no template and takes connections; one that
-- wflo-schema made for tests or development must be named in full
SELECT d.datname::text AS name
FROM pg_catalog.pg_database AS d
WHERE
    d.datname::text OPERATOR(pg_catalog.~~) ANY (%(patterns)s::text[])
    AND NOT d.datistemplate
    AND d.datallowconn
    AND d.datconnlimit OPERATOR(pg_catalog.<>) -2 -- a DROP DATABASE of it was interrupted
    AND (
        d.datname::text OPERATOR(pg_catalog.=) ANY (%(patterns)s::text[])
        OR coalesce(
            pg_catalog.shobj_description(d.oid, 'pg_database') OPERATOR(pg_catalog.!~~) '{"wflo_schema":%%', true
        )
    )
ORDER BY d.datname::text COLLATE pg_catalog."C"

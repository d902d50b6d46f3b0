-- one row is a database whose comment says that it is a development database, or a clone taken before a draft
SELECT
    d.datname::text AS name,
    pg_catalog.shobj_description(d.oid, 'pg_database') AS comment,
    d.datallowconn AS lets_in,
    (
        SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datid OPERATOR(pg_catalog.=) d.oid AND a.backend_type OPERATOR(pg_catalog.=) 'client backend'
    ) AS connections,
    CASE WHEN pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN
        pg_catalog.pg_database_size(d.oid)
    END AS size_bytes
FROM pg_catalog.pg_database AS d
WHERE pg_catalog.shobj_description(d.oid, 'pg_database') OPERATOR(pg_catalog.~~) '{"wflo_schema": {"purpose": "dev%'
  -- what is not finished yet has another name
  AND d.datname::text OPERATOR(pg_catalog.!~) '^wflo_clone_'
ORDER BY d.datname

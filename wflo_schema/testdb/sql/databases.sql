-- one row is a database whose name or comment says that wflo-schema made it; the caller judges both
SELECT
    d.datname::text AS name,
    COALESCE(pg_catalog.shobj_description(d.oid, 'pg_database'), '') AS comment,
    pg_catalog.pg_has_role(d.datdba, 'USAGE') AS is_ours_to_drop,
    (
        SELECT pg_catalog.count(*)
        FROM pg_catalog.pg_stat_activity AS a
        WHERE a.datid = d.oid AND a.backend_type = 'client backend'
    ) AS connections,
    CASE WHEN d.datistemplate OR pg_catalog.has_database_privilege(d.oid, 'CONNECT') THEN
        pg_catalog.pg_database_size(d.oid)
    END AS size_bytes
FROM pg_catalog.pg_database AS d
WHERE d.datname ~ '^wflo_(clone|building)_'
    OR pg_catalog.shobj_description(d.oid, 'pg_database') LIKE '{"wflo_schema":%'
ORDER BY d.datname

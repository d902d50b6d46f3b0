-- One row is one object of the catalog with its owner and grants; those of all else (ledgers, array types) are left out.
SELECT
    p.kind AS kind,
    p.path AS path,
    pg_catalog.max(p.owner) AS owner,
    pg_catalog.max(p.privileges) AS privileges
FROM (
    {known}
    UNION ALL
    SELECT g.kind, g.path, g.owner, g.privileges, false
    FROM (
{query}
    ) AS g) AS p
GROUP BY p.kind, p.path
HAVING pg_catalog.bool_or(p.is_known) AND pg_catalog.bool_or(NOT p.is_known)

-- One row is one object that a query of the catalog finds.
SELECT k.kind AS kind, k.path AS path, NULL::text AS owner, NULL::text AS privileges, true AS is_known
FROM (
{query}
) AS k

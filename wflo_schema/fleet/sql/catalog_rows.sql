-- One row is one object that a query of the catalog finds, with its attributes.
SELECT
    f.kind AS kind,
    f.path AS path,
    pg_catalog.jsonb_strip_nulls(pg_catalog.to_jsonb(f)) - %(left_out)s::text[] AS attributes
FROM (
{query}
) AS f

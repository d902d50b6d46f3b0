-- one row: the texts of repeatable files that stand in the ledger of a schema, and what each of them made.
-- $1: the files with variables, of which the text is needed
SELECT
    {number}::integer AS number,
    pg_catalog.bool_or(r.is_down) AS is_down,
    pg_catalog.json_agg(
        pg_catalog.json_build_array(
            r.repeatable_id, r.checksum, CASE WHEN r.repeatable_id = ANY ($1::text[]) THEN r.content END
        )
        ORDER BY r.repeatable_id COLLATE pg_catalog."C"
    ) AS texts,
    pg_catalog.json_object_agg(r.repeatable_id, r.made::pg_catalog.json) AS made
FROM (
    SELECT DISTINCT ON (t.repeatable_id) t.*
    FROM {schema}._wflo_schema_repeatable AS t
    ORDER BY t.repeatable_id, t.number DESC
) AS r

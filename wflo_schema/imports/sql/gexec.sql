-- One row is none: each value that the query finds is run as a statement, row by row, as psql's \gexec does.
DO $gexec$
#variable_conflict use_column
DECLARE
    said text;
BEGIN
    FOREACH said IN ARRAY ARRAY(
        SELECT one.value
        FROM (
{query}
        ) AS query
        CROSS JOIN LATERAL pg_catalog.json_each_text(pg_catalog.row_to_json(query)) AS one
        WHERE one.value IS NOT NULL
    ) LOOP
        EXECUTE said;
    END LOOP;
END
$gexec$;

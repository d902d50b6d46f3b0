-- one row: of a schema's ledger, when the last was applied that it records, and an md5 of all in their order
-- (one query over many tables takes PostgreSQL the longer for each the more there are; so each table has its own, and
-- what runs one query for each row, on every server, is ts_stat: it answers with the two as the words of a document)
SELECT
    s.number OPERATOR(pg_catalog.-) 1 AS number,
    pg_catalog.max(said.word) FILTER (WHERE pg_catalog.length(said.word) OPERATOR(pg_catalog.<) 32) AS after,
    pg_catalog.max(said.word) FILTER (WHERE pg_catalog.length(said.word) OPERATOR(pg_catalog.=) 32) AS digest
FROM ROWS FROM (pg_catalog.unnest($1::text[]), pg_catalog.unnest($2::boolean[]))
    WITH ORDINALITY AS s (schema, has_checksums, number)
LEFT JOIN LATERAL pg_catalog.ts_stat(
    pg_catalog.format(
        $query$
            SELECT pg_catalog.array_to_tsvector(
                ARRAY[
                    pg_catalog.to_char(pg_catalog.max(m.applied_at_utc), 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                    pg_catalog.md5(
                        pg_catalog.string_agg(
                            pg_catalog.concat_ws(' ', m.migration_hash, m.migration_id, %s), ','
                            ORDER BY m.applied_at_utc, m.migration_id
                        )
                    )
                ]
            )
            FROM %I._yoyo_migration AS m
            HAVING pg_catalog.count(*) OPERATOR(pg_catalog.>) 0
        $query$,
        CASE WHEN s.has_checksums THEN 'm.checksum' ELSE 'NULL' END,
        s.schema
    )
) AS said ON TRUE
GROUP BY s.number

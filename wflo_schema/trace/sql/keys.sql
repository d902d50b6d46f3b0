-- one row: a foreign key of one of these names, its table and the one that it points to
SELECT k.conname::text AS name, k.conrelid::text AS of, k.confrelid::text AS other
FROM pg_catalog.pg_constraint AS k
WHERE k.contype OPERATOR(pg_catalog.=) 'f'
    AND k.conname::text OPERATOR(pg_catalog.=) ANY (
        ARRAY(SELECT pg_catalog.jsonb_array_elements_text($1::pg_catalog.jsonb))
    )
ORDER BY 1, 2, 3

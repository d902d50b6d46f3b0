-- one row: how many rows some blocks of a table hold, and how many seconds it took to count them
SELECT
    pg_catalog.count(*) AS rows,
    EXTRACT(EPOCH FROM pg_catalog.clock_timestamp() - pg_catalog.statement_timestamp())::double precision AS seconds
FROM ONLY {table} AS t
WHERE t.ctid >= {first}::pg_catalog.tid AND t.ctid < {behind}::pg_catalog.tid

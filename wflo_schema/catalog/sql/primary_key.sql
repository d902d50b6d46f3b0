-- one row: a column of the table's primary key, in order
SELECT a.attname::text AS name
FROM pg_catalog.pg_index AS i
CROSS JOIN LATERAL pg_catalog.unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (attnum, ordinal)
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = u.attnum
WHERE i.indrelid = pg_catalog.to_regclass(%(table)s) AND i.indisprimary
ORDER BY u.ordinal

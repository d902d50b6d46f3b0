-- one row where $2 is a partition of $1: whether an interrupted DETACH CONCURRENTLY has begun to part them
SELECT i.inhdetachpending AS is_pending
FROM pg_catalog.pg_inherits AS i
WHERE i.inhparent = pg_catalog.to_regclass($1) AND i.inhrelid = pg_catalog.to_regclass($2)

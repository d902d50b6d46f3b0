-- No row: a block that changes the rows of a table in the order of a key, and commits behind each batch.
DO {tag}
-- resumable: rows that are done are passed over, so it can be run again after it was interrupted
DECLARE
{declarations}
    {p}todo bigint;
    {p}done bigint;
BEGIN
    COMMIT;{seen}
    SELECT {key} INTO {into_first} FROM {table} ORDER BY {key} LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT {key} INTO {into_last} FROM {table} ORDER BY {key_down} LIMIT 1;
    LOOP
        SELECT {key} INTO {into_upto}
        FROM (SELECT {key} FROM {table} WHERE {row} >= {first} ORDER BY {key} LIMIT {batch}) AS {p}rows
        ORDER BY {key_down}
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        LOOP
            -- A row that somebody holds is not waited for: the batch is tried again.
            WITH {p}all AS MATERIALIZED (
                SELECT FROM {table} WHERE {row} >= {first} AND {row} <= {upto} AND ({where})
            ), {p}mine AS MATERIALIZED (
                SELECT {keys_named} FROM {table} WHERE {row} >= {first} AND {row} <= {upto} AND ({where})
                ORDER BY {key}
                FOR NO KEY UPDATE SKIP LOCKED
            ), {p}changed AS (
                UPDATE {table} SET {sets} FROM {p}mine WHERE {same} RETURNING 1
            )
            SELECT (SELECT count(*) FROM {p}all), (SELECT count(*) FROM {p}changed) INTO {p}todo, {p}done;
            COMMIT;
            EXIT WHEN {p}done >= {p}todo;
            PERFORM pg_sleep(0.05);
        END LOOP;
        EXIT WHEN {upto} >= {last};
        SELECT {key} INTO {into_first} FROM {table} WHERE {row} > {upto} ORDER BY {key} LIMIT 1;
        EXIT WHEN NOT FOUND;
    END LOOP;
END
{tag};

-- No row: a block that changes the rows of a table in the order of a key, and commits behind each batch.
DO {tag}
-- resumable: rows that are done are passed over, so it can be run again after it was interrupted
DECLARE
{declarations}
    todo bigint;
    done bigint;
BEGIN
    COMMIT;
    SELECT {key} INTO {into_first} FROM {table} ORDER BY {key} LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT {key} INTO {into_last} FROM {table} ORDER BY {key_down} LIMIT 1;
    LOOP
        SELECT {key} INTO {into_upto}
        FROM (SELECT {key} FROM {table} WHERE {row} >= {first} ORDER BY {key} LIMIT {batch}) AS batch
        ORDER BY {key_down}
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        LOOP
            -- A row that somebody holds is not waited for: the batch is tried again.
            WITH todo AS MATERIALIZED (
                SELECT {key} FROM {table} WHERE {row} >= {first} AND {row} <= {upto} AND ({where})
            ), mine AS MATERIALIZED (
                SELECT {key} FROM {table} WHERE {row} >= {first} AND {row} <= {upto} AND ({where})
                ORDER BY {key}
                FOR NO KEY UPDATE SKIP LOCKED
            ), done AS (
                UPDATE {table} AS t SET {sets} FROM mine WHERE {same} RETURNING 1
            )
            SELECT (SELECT count(*) FROM todo), (SELECT count(*) FROM done) INTO todo, done;
            COMMIT;
            EXIT WHEN done >= todo;
            PERFORM pg_sleep(0.05);
        END LOOP;
        EXIT WHEN {upto} >= {last};
        SELECT {key} INTO {into_first} FROM {table} WHERE {row} > {upto} ORDER BY {key} LIMIT 1;
        EXIT WHEN NOT FOUND;
    END LOOP;
END
{tag};

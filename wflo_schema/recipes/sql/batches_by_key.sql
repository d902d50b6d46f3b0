-- No row: a block that changes the rows of a table in the order of a key, and commits behind each batch.
DO {tag}
-- resumable: rows that are done are passed over, so it can be run again after it was interrupted
DECLARE
{declarations}
    {p}size int := least({batch}, 10);
    {p}began timestamptz;
    {p}took double precision;
    {p}todo bigint;
    {p}done bigint;
BEGIN
    -- What is changed goes to disk bit by bit: a checkpoint that finds much to write makes everybody wait.
    PERFORM set_config(name, least(max_val::int, 32)::text, FALSE) FROM pg_settings WHERE name = 'backend_flush_after';
    COMMIT;{seen}
    SELECT {key} INTO {into_first} FROM {table} ORDER BY {key} LIMIT 1;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT {key} INTO {into_last} FROM {table} ORDER BY {key_down} LIMIT 1;
    LOOP
        SELECT {key} INTO {into_upto}
        FROM (SELECT {key} FROM {table} WHERE {row} >= {first} ORDER BY {key} LIMIT {p}size) AS {p}rows
        ORDER BY {key_down}
        LIMIT 1;
        EXIT WHEN NOT FOUND;
        LOOP
            -- A row that somebody holds is not waited for: the batch is tried again.
            {p}began := clock_timestamp();
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
        -- A batch holds its rows for some 20 ms, and others have as much time for themselves.
        {p}took := least(extract(epoch FROM clock_timestamp() - {p}began), 1);
        {p}size := greatest(least({batch}, 2 * {p}size, {p}size * 0.02 / greatest({p}took, 0.0001)), 1);
        PERFORM pg_sleep({p}took);
        SELECT {key} INTO {into_first} FROM {table} WHERE {row} > {upto} ORDER BY {key} LIMIT 1;
        EXIT WHEN NOT FOUND;
    END LOOP;
END
{tag};

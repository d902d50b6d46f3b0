-- No row: a block that changes the rows of a table in the order they are stored in, and commits behind each batch.
DO {tag}
-- resumable: rows that are done are passed over, so it can be run again after it was interrupted
DECLARE
    {p}most bigint := greatest({batch} / 64, 1);
    {p}step bigint := 1;
    {p}began timestamptz;
    {p}took double precision;
    {p}at bigint;
    {p}ends bigint;
    {p}todo bigint;
    {p}done bigint;
    {p}changed bigint;
    {p}before bigint;
BEGIN
    -- What is changed goes to disk bit by bit: a checkpoint that finds much to write makes everybody wait.
    PERFORM set_config(name, least(max_val::int, 32)::text, FALSE) FROM pg_settings WHERE name = 'backend_flush_after';
    COMMIT;{seen}
    LOOP
        -- A row that is changed meanwhile may move to where we have been: again, until there was nothing to do.
        {p}changed := 0;
        {p}at := 0;
        {p}ends := pg_relation_size({literal}) / current_setting('block_size')::bigint;
        WHILE {p}at <= {p}ends LOOP
            LOOP
                -- A row that somebody holds is not waited for: the blocks are tried again.
                {p}began := clock_timestamp();
                WITH {p}all AS MATERIALIZED (
                    SELECT FROM {only}
                    WHERE ctid >= format('(%s,0)', {p}at)::tid AND ctid < format('(%s,0)', {p}at + {p}step)::tid
                        AND ({where})
                ), {p}mine AS MATERIALIZED (
                    SELECT ctid AS {p}place FROM {only}
                    WHERE ctid >= format('(%s,0)', {p}at)::tid AND ctid < format('(%s,0)', {p}at + {p}step)::tid
                        AND ({where})
                    FOR NO KEY UPDATE SKIP LOCKED
                ), {p}rows AS (
                    UPDATE {only} SET {sets} FROM {p}mine WHERE {place}.ctid = {p}place RETURNING 1
                )
                SELECT (SELECT count(*) FROM {p}all), (SELECT count(*) FROM {p}rows) INTO {p}todo, {p}done;
                COMMIT;
                {p}changed := {p}changed + {p}done;
                EXIT WHEN {p}done >= {p}todo;
                PERFORM pg_sleep(0.05);
            END LOOP;
            {p}at := {p}at + {p}step;
            -- A batch holds its rows for some 20 ms, and others have as much time for themselves.
            {p}took := least(extract(epoch FROM clock_timestamp() - {p}began), 1);
            {p}step := greatest(least({p}most, 2 * {p}step, {p}step * 0.02 / greatest({p}took, 0.0001)), 1);
            PERFORM pg_sleep({p}took);
        END LOOP;
        EXIT WHEN {p}changed = 0;
        IF {p}changed >= {p}before AND {p}changed > {batch} THEN
            RAISE EXCEPTION 'rows that were changed still fulfil the condition: it would never end';
        END IF;
        {p}before := {p}changed;
    END LOOP;
END
{tag};

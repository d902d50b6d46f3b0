-- No row: a block that changes the rows of a table in the order they are stored in, and commits behind each batch.
DO {tag}
-- resumable: rows that are done are passed over, so it can be run again after it was interrupted
DECLARE
    -- As many blocks as hold some {batch} rows.
    step bigint := 16;
    at bigint;
    ends bigint;
    todo bigint;
    done bigint;
    changed bigint;
BEGIN
    COMMIT;
    LOOP
        -- A row that is changed meanwhile may move to where we have been: again, until there was nothing to do.
        changed := 0;
        at := 0;
        ends := pg_relation_size({literal}) / current_setting('block_size')::bigint;
        WHILE at <= ends LOOP
            LOOP
                -- A row that somebody holds is not waited for: the batch is tried again.
                WITH todo AS MATERIALIZED (
                    SELECT ctid FROM {only}
                    WHERE ctid >= format('(%s,0)', at)::tid AND ctid < format('(%s,0)', at + step)::tid AND ({where})
                ), mine AS MATERIALIZED (
                    SELECT ctid FROM {only}
                    WHERE ctid >= format('(%s,0)', at)::tid AND ctid < format('(%s,0)', at + step)::tid AND ({where})
                    FOR NO KEY UPDATE SKIP LOCKED
                ), done AS (
                    UPDATE {only} AS t SET {sets} FROM mine WHERE t.ctid = mine.ctid RETURNING 1
                )
                SELECT (SELECT count(*) FROM todo), (SELECT count(*) FROM done) INTO todo, done;
                COMMIT;
                changed := changed + done;
                EXIT WHEN done >= todo;
                PERFORM pg_sleep(0.05);
            END LOOP;
            at := at + step;
        END LOOP;
        EXIT WHEN changed = 0;
    END LOOP;
END
{tag};

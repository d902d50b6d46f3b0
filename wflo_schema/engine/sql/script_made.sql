-- no row: fails unless what repeatable files made is as it was, or would be, when a script was written
DO {tag}
BEGIN
    PERFORM pg_catalog.set_config('search_path', '', TRUE);
    IF ({found}) OPERATOR(pg_catalog.<>) {digest} THEN
        RAISE EXCEPTION 'what repeatable files made is not as {as_what} when this script was printed'
            USING HINT = 'print it again: wflo-schema plan --sql';
    END IF;
END
{tag}

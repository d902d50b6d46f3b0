-- no row: fails unless what repeatable files made is as it was, or would be, when a script was written
DO $guard$
BEGIN
    IF pg_catalog.current_setting('wflo_schema.made') OPERATOR(pg_catalog.<>) '{digest}' THEN
        RAISE EXCEPTION 'what repeatable files made is not as {as_what} when this script was printed'
            USING HINT = 'print it again: wflo-schema plan --sql';
    END IF;
END
$guard$

-- no row: after SET CONSTRAINTS ALL DEFERRED, each constraint that is not deferred at first is immediate again
DO $reset$
DECLARE
    names text;
BEGIN
    SELECT pg_catalog.string_agg(pg_catalog.format('%I.%I', n.nspname, c.conname), ', ')
    INTO names
    FROM pg_catalog.pg_constraint AS c
    JOIN pg_catalog.pg_namespace AS n ON (n.oid OPERATOR(pg_catalog.=) c.connamespace)
    WHERE c.condeferrable AND NOT c.condeferred;
    IF names IS NOT NULL THEN
        EXECUTE pg_catalog.format('SET CONSTRAINTS %s IMMEDIATE', names);
    END IF;
END
$reset$

-- no row: a non-transactional migration begins, as in progress_begin.sql
DECLARE
    known bigint;
BEGIN
    PERFORM 1 OPERATOR(pg_catalog./) pg_catalog.pg_try_advisory_lock($8::integer, $9::integer)::integer;
    SELECT pg_catalog.count(*)
    INTO known
    FROM {schema}._yoyo_log AS l
    WHERE l.migration_hash = $1::text;
    INSERT INTO {schema}._wflo_schema_progress (
        migration_hash, migration_id, operation, statements_done, done_checksum, running_statement, running_names,
        updated_at_utc, log_rows
    )
    VALUES (
        $1::text,
        $2::text,
        $3::text,
        $4::integer,
        $5::text,
        $6::text,
        $7::text,
        pg_catalog.clock_timestamp() AT TIME ZONE 'UTC',
        known
    );
END

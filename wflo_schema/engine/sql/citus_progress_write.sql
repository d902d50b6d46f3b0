-- no row: says how far a non-transactional migration has come, as progress_write.sql does
DECLARE
    moment timestamp := pg_catalog.clock_timestamp() AT TIME ZONE 'UTC';
    written bigint;
BEGIN
    UPDATE {schema}._wflo_schema_progress AS p
    SET
        operation = $3::text,
        statements_done = $4::integer,
        done_checksum = $5::text,
        running_statement = $6::text,
        running_names = $7::text,
        updated_at_utc = moment
    WHERE p.migration_hash = $1::text
        AND p.migration_id = $2::text
        AND p.operation = $3::text
        AND p.statements_done = $10::integer
        AND p.done_checksum = $11::text
        AND p.running_statement IS NOT DISTINCT FROM $12::text;
    GET DIAGNOSTICS written = ROW_COUNT;
    PERFORM 1 / CASE WHEN pg_catalog.pg_try_advisory_lock($8::integer, $9::integer) THEN written ELSE 0 END;
END

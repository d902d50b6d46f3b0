-- one row: says how far a non-transactional migration has come; divides by zero where another run has gone on with it,
-- or holds the lock that a statement gave up
WITH written AS (
    UPDATE {schema}._wflo_schema_progress AS p
    SET
        operation = $3::text,
        statements_done = $4::integer,
        done_checksum = $5::text,
        running_statement = $6::text,
        running_names = $7::text,
        updated_at_utc = pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
    WHERE p.migration_hash = $1::text
        AND p.migration_id = $2::text
        AND p.operation = $3::text
        AND p.statements_done = $10::integer
        AND p.done_checksum = $11::text
        AND p.running_statement IS NOT DISTINCT FROM $12::text
    RETURNING p.migration_hash
)
SELECT 1 / CASE WHEN pg_catalog.pg_try_advisory_lock($8::integer, $9::integer) THEN pg_catalog.count(*) ELSE 0 END AS written
FROM written

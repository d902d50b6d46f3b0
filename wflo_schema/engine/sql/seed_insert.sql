-- no row: records a file; violates the key where it is recorded, and is not to be run again
INSERT INTO {schema}._wflo_schema_seed (set_name, file_name, checksum, applied_at_utc)
VALUES ($1::text, $2::text, $3::text, pg_catalog.clock_timestamp() AT TIME ZONE 'UTC')

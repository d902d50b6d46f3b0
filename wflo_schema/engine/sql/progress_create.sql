-- one row: a non-transactional migration that has begun and is not finished
CREATE TABLE IF NOT EXISTS {schema}._wflo_schema_progress (
    migration_hash varchar(64) NOT NULL PRIMARY KEY,
    migration_id varchar(255) NOT NULL,
    operation varchar(10) NOT NULL,
    statements_done integer NOT NULL,
    done_checksum varchar(64) NOT NULL,
    running_statement text,
    running_names text,
    updated_at_utc timestamp NOT NULL,
    log_rows bigint
);
ALTER TABLE {schema}._wflo_schema_progress ADD COLUMN IF NOT EXISTS log_rows bigint

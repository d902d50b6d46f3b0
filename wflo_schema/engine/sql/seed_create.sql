-- one row: a file of a set of seeds that was run
CREATE TABLE IF NOT EXISTS {schema}._wflo_schema_seed (
    set_name varchar(255) NOT NULL,
    file_name varchar(255) NOT NULL,
    checksum varchar(64) NOT NULL,
    applied_at_utc timestamp NOT NULL,
    PRIMARY KEY (set_name, file_name)
)

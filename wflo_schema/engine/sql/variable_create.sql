-- one row: a variable of an applied migration, with the value that stood in its files, or NULL for a secret
CREATE TABLE IF NOT EXISTS {schema}._wflo_schema_variable (
    migration_hash varchar(64) NOT NULL,
    migration_id varchar(255) NOT NULL,
    name text NOT NULL,
    value text,
    recorded_at_utc timestamp NOT NULL,
    PRIMARY KEY (migration_hash, name)
)

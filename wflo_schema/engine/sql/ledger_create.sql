-- yoyo's own three tables, as yoyo 9 makes them (yoyo/internalmigrations), plus a column for the checksum
CREATE TABLE IF NOT EXISTS {schema}._yoyo_migration (
    migration_hash varchar(64),
    migration_id varchar(255),
    applied_at_utc timestamp,
    checksum varchar(64),
    PRIMARY KEY (migration_hash)
);
ALTER TABLE {schema}._yoyo_migration ADD COLUMN IF NOT EXISTS checksum varchar(64);
CREATE TABLE IF NOT EXISTS {schema}._yoyo_log (
    id varchar(36),
    migration_hash varchar(64),
    migration_id varchar(255),
    operation varchar(10),
    username varchar(255),
    hostname varchar(255),
    comment varchar(255),
    created_at_utc timestamp,
    PRIMARY KEY (id)
);
CREATE TABLE IF NOT EXISTS {schema}._yoyo_version (
    version integer NOT NULL PRIMARY KEY,
    installed_at_utc timestamp
);
INSERT INTO {schema}._yoyo_version (version, installed_at_utc)
SELECT 2, pg_catalog.clock_timestamp() AT TIME ZONE 'UTC'
WHERE NOT EXISTS (SELECT FROM {schema}._yoyo_version)

-- one row: a text that a repeatable file had when it was applied (the one with the highest number stands)
CREATE TABLE IF NOT EXISTS {schema}._wflo_schema_repeatable (
    repeatable_id varchar(255) NOT NULL,
    number integer NOT NULL,
    checksum varchar(64) NOT NULL,
    content text NOT NULL,
    made text NOT NULL,
    position integer NOT NULL,
    after_hash varchar(64) NOT NULL,
    is_down boolean NOT NULL,
    kept text NOT NULL,
    applied_at_utc timestamp NOT NULL,
    PRIMARY KEY (repeatable_id, number)
)

-- verdict: cannot tell
-- codes: foreign-unguarded
-- contract: [columns.events]
-- contract: id = "integer not null"
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE events (id integer NOT NULL);
CREATE FOREIGN TABLE events_1 () INHERITS (events) SERVER nowhere;

-- verdict: cannot tell
-- codes: foreign-unguarded
-- contract: [columns.events]
-- contract: id = "integer not null"
-- contract: [[check]]
-- contract: name = "positive"
-- contract: on = "events"
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE events (id integer NOT NULL CONSTRAINT positive CHECK (id > 0)) PARTITION BY LIST (id);
CREATE FOREIGN TABLE events_1 PARTITION OF events FOR VALUES IN (1) SERVER nowhere;

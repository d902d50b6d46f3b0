-- verdict: yes
-- contract: [contract]
-- contract: tables = ["events", "kinds"]
-- contract: [columns.events]
-- contract: id = "integer"
-- contract: [[index]]
-- contract: on = "events(id)"
-- contract: [columns.kinds]
-- contract: id = "integer not null"
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE events (id integer NOT NULL) PARTITION BY LIST (id);
CREATE FOREIGN TABLE events_1 PARTITION OF events FOR VALUES IN (1) SERVER nowhere;
CREATE TABLE events_2 PARTITION OF events FOR VALUES IN (2);
CREATE INDEX events_id ON events (id);
CREATE TABLE kinds (id integer NOT NULL);

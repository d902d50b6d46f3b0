-- verdict: no
-- codes: key-missing, unique-missing
-- contract: [[foreign_key]]
-- contract: from = "events(execution_id)"
-- contract: to = "workflow_executions(id)"
-- contract: [[unique]]
-- contract: on = "events(id)"
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE events (id integer, execution_id varchar) PARTITION BY LIST (id);
CREATE FOREIGN TABLE events_1 PARTITION OF events FOR VALUES IN (1) SERVER nowhere;

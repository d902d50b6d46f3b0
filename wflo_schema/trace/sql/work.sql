-- one row: the time; between two of them stands what is timed, in the order of the fields of `Work`
SELECT pg_catalog.clock_timestamp();
ALTER TABLE wflo_schema_rates.child ADD CHECK (number IS NOT NULL);
SELECT pg_catalog.clock_timestamp();
ALTER TABLE wflo_schema_rates.child ADD FOREIGN KEY (parent_id) REFERENCES wflo_schema_rates.parent;
SELECT pg_catalog.clock_timestamp();
CREATE INDEX i ON wflo_schema_rates.child (random);
SELECT pg_catalog.clock_timestamp();
CREATE INDEX j ON wflo_schema_rates.child (word);
SELECT pg_catalog.clock_timestamp();
UPDATE wflo_schema_rates.child SET number = number + 1 WHERE number < 100;
SELECT pg_catalog.clock_timestamp();
DROP INDEX wflo_schema_rates.i, wflo_schema_rates.j;
ALTER TABLE wflo_schema_rates.child ALTER COLUMN number TYPE bigint;
SELECT pg_catalog.clock_timestamp();
ALTER TABLE wflo_schema_rates.child ADD COLUMN id uuid DEFAULT pg_catalog.gen_random_uuid();
SELECT pg_catalog.clock_timestamp()

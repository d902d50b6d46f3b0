-- no row: two tables of so many rows, those of one of about so many bytes, on which work is timed
CREATE SCHEMA wflo_schema_rates;
CREATE TABLE wflo_schema_rates.parent (id bigint PRIMARY KEY);
INSERT INTO wflo_schema_rates.parent (id)
SELECT g FROM pg_catalog.generate_series(0, {rows}) AS g;
CREATE TABLE wflo_schema_rates.child (
    parent_id bigint, number integer, random bigint, word text, rest text
);
INSERT INTO wflo_schema_rates.child (parent_id, number, random, word, rest)
SELECT
    (g * 7919) % {rows},
    g % 1000,
    pg_catalog.hashint8extended(g, 0),
    pg_catalog.md5(g::text),
    pg_catalog.repeat('x', GREATEST({width} - 84, 0))
FROM pg_catalog.generate_series(1::bigint, {rows}) AS g;
ANALYZE wflo_schema_rates.parent, wflo_schema_rates.child

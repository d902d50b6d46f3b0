-- What stands beside the tables: comments, grants, sequences, statistics, publications, functions, schemas.

-- case: table-commented
COMMENT ON TABLE shop.orders IS 'what was bought';

-- case: column-commented
COMMENT ON COLUMN shop.orders.state IS 'open or done';

-- case: index-commented
COMMENT ON INDEX shop.orders_state IS 'for the list of open ones';

-- case: constraint-commented
COMMENT ON CONSTRAINT orders_customer ON shop.orders IS 'who bought it';

-- case: type-commented
COMMENT ON TYPE shop.mood IS 'how one feels';

-- case: granted-on-a-table
GRANT SELECT, INSERT ON shop.orders TO PUBLIC;

-- case: granted-on-columns
GRANT UPDATE (state) ON shop.orders TO PUBLIC;

-- case: granted-on-all-tables
GRANT SELECT ON ALL TABLES IN SCHEMA shop TO PUBLIC;

-- case: revoked
REVOKE ALL ON shop.orders FROM PUBLIC;

-- case: default-privileges-changed
ALTER DEFAULT PRIVILEGES IN SCHEMA shop GRANT SELECT ON TABLES TO PUBLIC;

-- case: sequence-created
CREATE SEQUENCE shop.tickets START 100;

-- case: sequence-changed
ALTER SEQUENCE shop.numbers INCREMENT BY 10;

-- case: sequence-owned-by-a-column
ALTER SEQUENCE shop.numbers OWNED BY shop.products.amount;

-- case: sequence-renamed
ALTER SEQUENCE shop.numbers RENAME TO counters;

-- case: sequence-dropped
DROP SEQUENCE shop.numbers;

-- case: statistics-created
CREATE STATISTICS shop.orders_state_note (dependencies) ON state, note FROM shop.orders;

-- case: statistics-dropped
-- given:
CREATE STATISTICS shop.orders_state_note (dependencies) ON state, note FROM shop.orders;
-- when:
DROP STATISTICS shop.orders_state_note;

-- case: publication-created
CREATE PUBLICATION news FOR TABLE shop.orders;

-- case: publication-gets-a-table
-- given:
CREATE PUBLICATION news;
-- when:
ALTER PUBLICATION news ADD TABLE shop.orders;

-- case: publication-dropped
-- given:
CREATE PUBLICATION news FOR TABLE shop.orders;
-- when:
DROP PUBLICATION news;

-- case: function-created
CREATE FUNCTION shop.half(n integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT n / 2';

-- case: function-of-a-trigger-replaced
CREATE OR REPLACE FUNCTION shop.stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.remark := now()::text; RETURN NEW; END';

-- case: function-dropped-that-a-trigger-calls
DROP FUNCTION shop.stamp() CASCADE;

-- case: procedure-created
CREATE PROCEDURE shop.tidy() LANGUAGE sql AS 'DELETE FROM shop.cache WHERE key = ''old''';

-- case: aggregate-created
CREATE AGGREGATE shop.total_of (integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0');

-- case: operator-created
CREATE OPERATOR shop.=== (FUNCTION = int4eq, LEFTARG = integer, RIGHTARG = integer);

-- case: cast-created
CREATE CAST (shop.label AS integer) WITH INOUT;

-- case: collation-created
CREATE COLLATION shop.bytes FROM "C";

-- case: text-search-configuration-created
CREATE TEXT SEARCH CONFIGURATION shop.words (COPY = simple);

-- case: schema-created
CREATE SCHEMA warehouse;

-- case: schema-renamed
ALTER SCHEMA shop RENAME TO store;

-- case: schema-dropped-with-all-in-it
DROP SCHEMA shop CASCADE;

-- case: setting-set
SET LOCAL lock_timeout = '2s';

-- case: function-called-that-does-nothing
SELECT shop.steady();

-- case: role-created
CREATE ROLE corpus_reader NOLOGIN;

-- case: event-trigger-created
-- given:
CREATE FUNCTION shop.note() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
-- when:
CREATE EVENT TRIGGER noting ON ddl_command_end EXECUTE FUNCTION shop.note();

-- case: statistics-target-of-statistics-set
-- given:
CREATE STATISTICS shop.orders_state_note (dependencies) ON state, note FROM shop.orders;
-- when:
ALTER STATISTICS shop.orders_state_note SET STATISTICS 500;

-- case: sequence-restarted
ALTER SEQUENCE shop.numbers RESTART WITH 5000;

-- case: sequence-advanced
SELECT setval('shop.numbers', 9000);

-- case: sequence-set-behind-the-greatest-id
SELECT setval('shop.numbers', (SELECT max(id) FROM shop.orders));

-- case: sequence-set-behind-the-greatest-of-a-column-without-index
SELECT setval('shop.numbers', (SELECT coalesce(max(product_id), 1) FROM shop.orders));

-- Indexes of every kind: made, renamed, attached, moved, built again, dropped.

-- case: index-created
CREATE INDEX orders_placed ON shop.orders (placed);

-- case: index-created-if-missing-and-there
CREATE INDEX IF NOT EXISTS orders_state ON shop.orders (state);

-- case: index-created-unique
CREATE UNIQUE INDEX orders_reference ON shop.orders (reference);

-- case: index-created-hash
CREATE INDEX orders_reference ON shop.orders USING hash (reference);

-- case: index-created-brin
CREATE INDEX orders_placed ON shop.orders USING brin (placed);

-- case: index-created-gist
CREATE INDEX products_during ON shop.products USING gist (during);

-- case: index-created-gin
CREATE INDEX products_words ON shop.products USING gin (to_tsvector('simple', code));

-- case: index-created-on-an-expression
CREATE INDEX customers_email_lower ON shop.customers (lower(email));

-- case: index-created-partial
CREATE INDEX orders_open ON shop.orders (placed) WHERE state = 'open';

-- case: index-created-covering
CREATE INDEX orders_customer_id ON shop.orders (customer_id) INCLUDE (total) WITH (fillfactor = 70);

-- case: index-created-concurrently
-- transactional: false
CREATE INDEX CONCURRENTLY orders_placed ON shop.orders (placed);

-- case: index-created-unique-concurrently
-- transactional: false
CREATE UNIQUE INDEX CONCURRENTLY orders_reference ON shop.orders (reference);

-- case: index-created-on-partitioned
CREATE INDEX bookings_room ON shop.bookings (room);

-- case: index-created-on-partitioned-alone
CREATE INDEX bookings_room ON ONLY shop.bookings (room);

-- case: index-of-a-partition-attached
-- given:
CREATE INDEX bookings_room ON ONLY shop.bookings (room);
CREATE INDEX bookings_2023_room ON shop.bookings_2023 (room);
-- when:
ALTER INDEX shop.bookings_room ATTACH PARTITION shop.bookings_2023_room;

-- case: index-created-on-a-materialized-view
CREATE INDEX sales_total ON shop.sales (total);

-- case: index-dropped
DROP INDEX shop.orders_state;

-- case: index-dropped-if-missing
DROP INDEX IF EXISTS shop.orders_nothing;

-- case: index-dropped-concurrently
-- transactional: false
DROP INDEX CONCURRENTLY shop.orders_state;

-- case: index-renamed
ALTER INDEX shop.orders_state RENAME TO orders_by_state;

-- case: index-options-set
ALTER INDEX shop.orders_state SET (fillfactor = 80);

-- case: index-statistics-set
ALTER INDEX shop.orders_note_lower ALTER COLUMN 1 SET STATISTICS 300;

-- case: index-moved
ALTER INDEX shop.orders_state SET TABLESPACE elsewhere;

-- case: index-built-again
REINDEX INDEX shop.orders_state;

-- case: indexes-of-a-table-built-again
REINDEX TABLE shop.orders;

-- case: index-built-again-concurrently
-- transactional: false
REINDEX INDEX CONCURRENTLY shop.orders_state;

-- case: indexes-of-a-table-built-again-concurrently
-- transactional: false
REINDEX TABLE CONCURRENTLY shop.customers;

-- case: indexes-of-a-schema-built-again
-- transactional: false
REINDEX SCHEMA shop;

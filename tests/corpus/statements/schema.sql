-- What every case begins with.  fill.sql puts rows into all of it; each table that may be read whole has its own number.
CREATE SCHEMA shop;
SET search_path = shop, pg_catalog;

CREATE TYPE mood AS ENUM ('calm', 'cross');
CREATE TYPE label AS (code integer, caption varchar(40));
CREATE DOMAIN percent AS integer;
CREATE DOMAIN grade AS integer CONSTRAINT grade_range CHECK (VALUE BETWEEN 0 AND 100);
CREATE DOMAIN plain_text AS text;
CREATE SEQUENCE numbers;

CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION steady() RETURNS integer LANGUAGE sql STABLE AS 'SELECT 7';
CREATE FUNCTION dice() RETURNS integer LANGUAGE plpgsql AS 'BEGIN RETURN 4; END';

CREATE TABLE customers (
    id bigint CONSTRAINT customers_pkey PRIMARY KEY,
    email text NOT NULL,
    name varchar(60) COLLATE "C",
    country char(2),
    feeling mood,
    score integer,
    seen timestamp,
    CONSTRAINT customers_email_key UNIQUE (email)
);
CREATE INDEX customers_name ON customers (name);

CREATE TABLE orders (
    id bigint CONSTRAINT orders_pkey PRIMARY KEY,
    customer_id bigint CONSTRAINT orders_customer REFERENCES customers,
    product_id integer,
    state text,
    total numeric(10, 2),
    placed timestamp,
    paid timestamptz,
    note varchar(80),
    reference text NOT NULL,
    doubled integer GENERATED ALWAYS AS (product_id * 2) STORED
);
CREATE INDEX orders_state ON orders (state);
CREATE INDEX orders_note_lower ON orders (lower(note));
CREATE INDEX orders_unpaid ON orders (placed) WHERE paid IS NULL;

CREATE TABLE products (
    id integer NOT NULL,
    code text,
    amount integer,
    share percent,
    level grade,
    remark plain_text,
    details json,
    during tsrange,
    ip cidr
);
CREATE UNIQUE INDEX products_id ON products (id);
CREATE UNIQUE INDEX products_code ON products (code);
CREATE TRIGGER products_stamp BEFORE UPDATE ON products FOR EACH ROW EXECUTE FUNCTION stamp();

CREATE TABLE bookings (id bigint NOT NULL, day date NOT NULL, room integer, guest text) PARTITION BY RANGE (day);
CREATE TABLE bookings_2023 PARTITION OF bookings FOR VALUES FROM ('2023-01-01') TO ('2024-01-01');
CREATE TABLE bookings_2024 PARTITION OF bookings FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE bookings_2025 (id bigint NOT NULL, day date NOT NULL, room integer, guest text);
CREATE TABLE bookings_2026 (
    id bigint NOT NULL, day date NOT NULL, room integer, guest text,
    CONSTRAINT bookings_2026_day CHECK (day >= DATE '2026-01-01' AND day < DATE '2027-01-01')
);

CREATE TABLE visits (id bigint NOT NULL, site text NOT NULL, hits integer) PARTITION BY LIST (site);
CREATE TABLE visits_north PARTITION OF visits FOR VALUES IN ('north');
CREATE TABLE visits_rest PARTITION OF visits DEFAULT;
CREATE TABLE visits_south (id bigint NOT NULL, site text NOT NULL, hits integer);

CREATE TABLE people (id bigint CONSTRAINT people_pkey PRIMARY KEY, name text, age integer);
CREATE TABLE staff (desk text) INHERITS (people);
CREATE TABLE guests (id bigint NOT NULL, name text, age integer);

CREATE TABLE labels OF label;
CREATE UNLOGGED TABLE cache (key text NOT NULL, value text);

CREATE VIEW open_orders AS SELECT id, state, total FROM orders WHERE state = 'open';
CREATE MATERIALIZED VIEW sales AS SELECT product_id, sum(total) AS total FROM orders GROUP BY product_id;
CREATE UNIQUE INDEX sales_product ON sales (product_id);

RESET search_path;

CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER pg_catalog.heap_tableam_handler;

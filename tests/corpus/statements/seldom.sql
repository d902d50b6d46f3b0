-- case: index-built-again-in-another-tablespace
REINDEX (TABLESPACE elsewhere) INDEX shop.orders_state;

-- case: index-of-a-materialized-view-built-again
REINDEX INDEX shop.sales_product;

-- case: indexes-of-a-materialized-view-built-again
REINDEX TABLE shop.sales;

-- case: partitioned-index-built-again
-- transactional: false
-- given:
CREATE INDEX bookings_room ON shop.bookings (room);
-- when:
REINDEX INDEX shop.bookings_room;

-- case: partitioned-table-vacuumed-full
-- transactional: false
VACUUM FULL shop.bookings;

-- case: materialized-view-clustered
CLUSTER shop.sales USING sales_product;

-- case: materialized-view-changed-for-another
CREATE MATERIALIZED VIEW shop.sales_new AS SELECT product_id, sum(total) AS total FROM shop.orders GROUP BY product_id;
DROP MATERIALIZED VIEW shop.sales;
ALTER MATERIALIZED VIEW shop.sales_new RENAME TO sales;

-- case: materialized-view-dropped-then-created
DROP MATERIALIZED VIEW shop.sales;
CREATE MATERIALIZED VIEW shop.sales AS SELECT product_id, sum(total) AS total FROM shop.orders GROUP BY product_id;

-- case: table-renamed-then-copied-into-a-new-one-of-its-name
ALTER TABLE shop.guests RENAME TO guests_old;
CREATE TABLE shop.guests (LIKE shop.guests_old);
INSERT INTO shop.guests SELECT * FROM shop.guests_old;

-- case: table-renamed-then-indexed-beside-a-new-one-of-its-name
ALTER TABLE shop.guests RENAME TO guests_old;
CREATE TABLE shop.guests (LIKE shop.guests_old);
CREATE INDEX guests_old_id ON shop.guests_old (id);

-- case: table-renamed-and-a-new-one-of-its-name-indexed
ALTER TABLE shop.guests RENAME TO guests_old;
CREATE TABLE shop.guests (LIKE shop.guests_old);
CREATE INDEX guests_id ON shop.guests (id);

-- case: greatest-key-asked-for-behind-a-lock
ALTER TABLE shop.guests ADD COLUMN seen timestamp;
SELECT max(id) FROM shop.orders;

-- case: greatest-of-a-plain-column-asked-for-behind-a-lock
ALTER TABLE shop.guests ADD COLUMN seen timestamp;
SELECT max(total) FROM shop.orders;

-- case: few-rows-asked-for-behind-a-lock
ALTER TABLE shop.guests ADD COLUMN seen timestamp;
SELECT * FROM shop.orders LIMIT 1;

-- case: table-analysed-behind-a-lock
ALTER TABLE shop.guests ADD COLUMN seen timestamp;
ANALYZE shop.guests;

-- case: row-joined-by-keys-behind-a-lock
ALTER TABLE shop.guests ADD COLUMN seen timestamp;
SELECT o.id, c.name FROM shop.orders AS o JOIN shop.customers AS c ON c.id = o.customer_id WHERE o.id = 7;

-- case: column-added-with-a-constant-array
ALTER TABLE shop.guests ADD COLUMN tags text[] NOT NULL DEFAULT ARRAY['new']::text[];

-- case: column-added-with-a-time-from-now
ALTER TABLE shop.guests ADD COLUMN expires timestamptz NOT NULL DEFAULT now() + INTERVAL '30 days';

-- case: column-added-with-the-user
ALTER TABLE shop.guests ADD COLUMN made_by text DEFAULT current_user;

-- case: column-added-with-the-time-of-day
ALTER TABLE shop.guests ADD COLUMN made text DEFAULT timeofday();

-- case: column-added-composite-with-a-constant
ALTER TABLE shop.guests ADD COLUMN label shop.label DEFAULT ROW(1, 'x')::shop.label;

-- case: column-added-domain-with-a-volatile-default
-- given:
CREATE DOMAIN shop.chance AS double precision DEFAULT random();
-- when:
ALTER TABLE shop.guests ADD COLUMN chance shop.chance;

-- case: column-added-if-missing-and-volatile
ALTER TABLE shop.guests ADD COLUMN IF NOT EXISTS number uuid DEFAULT gen_random_uuid();

-- case: column-added-identity-and-primary-key
ALTER TABLE shop.bookings_2025 ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY;

-- case: column-added-generated-and-indexed
ALTER TABLE shop.guests ADD COLUMN upper_name text GENERATED ALWAYS AS (upper(name)) STORED;
CREATE INDEX guests_upper ON shop.guests (upper_name);

-- case: not-null-set-beside-its-own-check
ALTER TABLE shop.guests ADD CONSTRAINT guests_name CHECK (name IS NOT NULL), ALTER COLUMN name SET NOT NULL;

-- case: key-changed-for-one-with-another-action
ALTER TABLE shop.orders DROP CONSTRAINT orders_customer, ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customers ON DELETE CASCADE;

-- case: key-changed-for-one-that-is-not-valid
ALTER TABLE shop.orders DROP CONSTRAINT orders_customer, ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customers ON DELETE CASCADE NOT VALID;

-- case: type-of-one-enum-to-another
-- given:
CREATE TYPE shop.temper AS ENUM ('calm', 'cross', 'glad');
-- when:
ALTER TABLE shop.customers ALTER COLUMN feeling TYPE shop.temper USING feeling::text::shop.temper;

-- case: type-widened-of-a-column-with-a-check
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_note CHECK (note <> '-');
-- when:
ALTER TABLE shop.orders ALTER COLUMN note TYPE varchar(200);

-- case: types-changed-one-of-them-for-nothing
ALTER TABLE shop.people ALTER COLUMN name TYPE varchar, ALTER COLUMN age TYPE bigint;

-- case: partition-attached-by-a-hash
-- given:
CREATE TABLE shop.parts (id bigint, body text) PARTITION BY HASH (id);
CREATE TABLE shop.parts_0 (id bigint, body text);
-- filled:
INSERT INTO shop.parts_0 SELECT id, name FROM shop.guests WHERE satisfies_hash_partition('shop.parts'::regclass, 2, 0, id);
-- when:
ALTER TABLE shop.parts ATTACH PARTITION shop.parts_0 FOR VALUES WITH (MODULUS 2, REMAINDER 0);

-- case: partition-detached-and-attached-again
ALTER TABLE shop.visits DETACH PARTITION shop.visits_north;
ALTER TABLE shop.visits ATTACH PARTITION shop.visits_north FOR VALUES IN ('north');

-- case: partition-created-that-is-partitioned
CREATE TABLE shop.bookings_2027 PARTITION OF shop.bookings FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') PARTITION BY RANGE (day);

-- case: trigger-changed-for-another
CREATE OR REPLACE TRIGGER products_stamp BEFORE INSERT OR UPDATE ON shop.products FOR EACH ROW EXECUTE FUNCTION shop.stamp();

-- case: trigger-created-on-a-view
CREATE TRIGGER open_orders_change INSTEAD OF UPDATE ON shop.open_orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();

-- case: trigger-dropped-and-created
DROP TRIGGER products_stamp ON shop.products;
CREATE TRIGGER products_stamp BEFORE UPDATE OF amount ON shop.products FOR EACH ROW WHEN (OLD.amount <> NEW.amount) EXECUTE FUNCTION shop.stamp();

-- case: policy-created-that-reads-another-table
CREATE POLICY orders_own ON shop.orders USING (customer_id IN (SELECT id FROM shop.customers));

-- case: rule-created-on-a-view
CREATE RULE open_orders_new AS ON INSERT TO shop.open_orders DO INSTEAD NOTIFY orders;

-- case: publication-of-all-tables
CREATE PUBLICATION everything FOR ALL TABLES;

-- case: publication-of-some-rows-then-changed
CREATE PUBLICATION part_of_orders FOR TABLE shop.orders (id, state) WHERE (id > 10);
ALTER PUBLICATION part_of_orders ADD TABLE shop.guests;
ALTER PUBLICATION part_of_orders SET (publish = 'insert');

-- case: statistics-created-on-an-expression
CREATE STATISTICS shop.guests_lower ON (lower(name)) FROM shop.guests;

-- case: foreign-table-gets-a-column-and-a-check
-- given:
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE shop.far (id integer) SERVER far;
-- when:
ALTER FOREIGN TABLE shop.far ADD COLUMN name text;
ALTER FOREIGN TABLE shop.far ADD CONSTRAINT far_id CHECK (id > 0) NOT VALID;

-- case: foreign-partition-created
-- given:
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
-- when:
CREATE FOREIGN TABLE shop.bookings_2027 PARTITION OF shop.bookings FOR VALUES FROM ('2027-01-01') TO ('2028-01-01') SERVER far;

-- case: schema-created-with-a-table-that-references-another
CREATE SCHEMA office CREATE TABLE desks (id integer PRIMARY KEY, customer_id bigint REFERENCES shop.customers);

-- case: tables-locked-and-a-row-changed
LOCK TABLE shop.guests, shop.people IN ROW EXCLUSIVE MODE;
UPDATE shop.people SET age = 31 WHERE id = 7;

-- case: table-locked-while-another-is-counted
LOCK TABLE shop.guests IN EXCLUSIVE MODE;
SELECT count(*) FROM shop.orders;

-- case: query-prepared-and-executed
PREPARE one (bigint) AS SELECT * FROM shop.orders WHERE id = $1;
EXECUTE one (7);

-- case: change-prepared-and-executed
PREPARE all_of_them AS UPDATE shop.guests SET age = 31;
EXECUTE all_of_them;

-- case: temporary-table-filled-from-another
CREATE TEMPORARY TABLE chosen ON COMMIT DROP AS SELECT id FROM shop.orders WHERE id < 10;
CREATE INDEX ON chosen (id);

-- case: rows-of-a-new-table-changed
CREATE TABLE shop.prices (id integer PRIMARY KEY, price numeric);
INSERT INTO shop.prices SELECT n, n FROM generate_series(1, 100) AS n;
UPDATE shop.prices SET price = price + 1;

-- case: block-that-indexes-what-it-puts-together
DO $$ DECLARE name text; BEGIN
    FOREACH name IN ARRAY ARRAY['guests', 'people'] LOOP EXECUTE format('CREATE INDEX ON shop.%I (id)', name); END LOOP;
END $$;

-- case: block-that-asks-for-the-version
DO $$ BEGIN
    IF current_setting('server_version_num')::integer > 100000 THEN ALTER TABLE shop.guests ADD COLUMN seen timestamp; END IF;
END $$;

-- case: block-that-renames-what-is-there
DO $$ BEGIN
    IF EXISTS (SELECT FROM information_schema.columns WHERE table_schema = 'shop' AND table_name = 'guests' AND column_name = 'name') THEN
        ALTER TABLE shop.guests RENAME COLUMN name TO full_name;
    END IF;
END $$;

-- case: column-added-with-a-number-that-is-a-time
-- since: 18
ALTER TABLE shop.guests ADD COLUMN number uuid DEFAULT uuidv7();

-- case: access-method-of-partitioned-set
-- since: 18
ALTER TABLE shop.bookings SET ACCESS METHOD heap;

-- case: row-merged-and-returned
-- since: 18
MERGE INTO shop.customers AS c USING (VALUES (7, 'x')) AS n (id, name) ON c.id = n.id
WHEN MATCHED THEN UPDATE SET name = n.name RETURNING OLD.name, NEW.name;

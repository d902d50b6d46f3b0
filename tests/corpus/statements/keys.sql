-- Foreign keys, from both sides.

-- case: key-added
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers;

-- case: key-added-not-valid
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;

-- case: key-validated
-- given:
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;
-- when:
ALTER TABLE shop.guests VALIDATE CONSTRAINT guests_person;

-- case: key-added-to-itself
ALTER TABLE shop.customers ADD CONSTRAINT customers_friend FOREIGN KEY (score) REFERENCES shop.customers (id) NOT VALID;

-- case: key-added-with-actions-and-deferrable
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers
    ON UPDATE CASCADE ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED;

-- case: key-added-from-partitioned
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_customer FOREIGN KEY (id) REFERENCES shop.customers;

-- case: key-added-to-partitioned
-- given:
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_pkey PRIMARY KEY (id, day);
CREATE TABLE shop.notes (booking bigint, day date);
-- filled:
INSERT INTO shop.notes SELECT id, day FROM shop.bookings;
-- when:
ALTER TABLE shop.notes ADD CONSTRAINT notes_booking FOREIGN KEY (booking, day) REFERENCES shop.bookings;

-- case: key-dropped
ALTER TABLE shop.orders DROP CONSTRAINT orders_customer;

-- case: key-made-deferrable
ALTER TABLE shop.orders ALTER CONSTRAINT orders_customer DEFERRABLE INITIALLY DEFERRED;

-- case: key-renamed
ALTER TABLE shop.orders RENAME CONSTRAINT orders_customer TO orders_customer_id_fkey;

-- case: table-created-that-references-another
CREATE TABLE shop.returns (id bigint PRIMARY KEY, order_id bigint NOT NULL REFERENCES shop.orders);

-- case: table-dropped-that-references-another
DROP TABLE shop.orders CASCADE;

-- case: table-dropped-that-is-referenced
DROP TABLE shop.customers CASCADE;

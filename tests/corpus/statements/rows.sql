-- Rows: read, changed by their key, changed all.

-- case: row-inserted
INSERT INTO shop.guests VALUES (0, 'nobody', 1);

-- case: rows-inserted-from-a-table
INSERT INTO shop.guests SELECT id + 1000000, name, score FROM shop.customers;

-- case: row-updated-by-key
UPDATE shop.orders SET state = 'done' WHERE id = 7;

-- case: rows-updated-by-a-range-of-keys
UPDATE shop.orders SET state = 'done' WHERE id BETWEEN 1 AND 100;

-- case: rows-updated-all
UPDATE shop.orders SET state = 'done';

-- case: rows-updated-all-where-something-holds
UPDATE shop.guests SET name = 'guest' WHERE name IS NOT NULL;

-- case: rows-updated-from-another-table
UPDATE shop.guests SET name = c.name FROM shop.customers AS c WHERE c.id = guests.id;

-- case: row-deleted-by-key
DELETE FROM shop.orders WHERE id = 7;

-- case: rows-deleted-all
DELETE FROM shop.guests;

-- case: rows-deleted-of-a-partitioned-table
DELETE FROM shop.bookings;

-- case: row-merged-or-inserted
INSERT INTO shop.customers (id, email) VALUES (1, 'new@example.org') ON CONFLICT (id) DO UPDATE SET email = EXCLUDED.email;

-- case: rows-merged-all
MERGE INTO shop.guests AS g USING shop.customers AS c ON c.id = g.id WHEN MATCHED THEN UPDATE SET name = c.name;

-- case: rows-locked-all
SELECT FROM shop.guests FOR UPDATE;

-- case: rows-counted
SELECT count(*) FROM shop.orders;

-- case: row-found-by-key
SELECT state FROM shop.orders WHERE id = 7;

-- case: rows-moved
WITH moved AS (DELETE FROM shop.guests RETURNING id, name, age) INSERT INTO shop.people SELECT id + 1000000, name, age FROM moved;

-- case: row-deleted-that-others-may-reference-without-an-index
-- filled:
UPDATE shop.orders SET customer_id = NULL WHERE customer_id = 7;
-- when:
DELETE FROM shop.customers WHERE id = 7;

-- case: row-deleted-with-those-that-reference-it
-- given:
ALTER TABLE shop.orders DROP CONSTRAINT orders_customer;
ALTER TABLE shop.orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customers ON DELETE CASCADE;
CREATE INDEX orders_customer_id ON shop.orders (customer_id);
-- when:
DELETE FROM shop.customers WHERE id = 7;

-- case: row-updated-by-key-with-a-trigger
UPDATE shop.products SET remark = 'new' WHERE id = 7;

-- case: rows-updated-in-a-batch-that-an-index-finds
UPDATE shop.orders SET state = 'done' WHERE id IN (SELECT id FROM shop.orders WHERE id > 1000 ORDER BY id LIMIT 100);

-- case: rows-updated-few-that-no-index-finds
UPDATE shop.orders SET state = 'done' WHERE reference = '7';

-- case: rows-locked-few
SELECT FROM shop.orders WHERE id < 10 FOR UPDATE SKIP LOCKED;

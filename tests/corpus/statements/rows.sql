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

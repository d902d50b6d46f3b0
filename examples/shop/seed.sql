INSERT INTO customers (email) VALUES ('ada@example.org'), ('grace@example.org');
INSERT INTO orders (customer_id, total_cents)
SELECT c.id, 1000 * c.id
FROM customers AS c;

-- Rows for schema.sql, as many in each table as the setting corpus.rows says.
SET search_path = shop, pg_catalog;

INSERT INTO customers
SELECT n, 'c' || n || '@example.org', 'name ' || n, 'at', 'calm', n % 90, TIMESTAMP '2024-01-01' + n * INTERVAL '1 minute'
FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO orders (id, customer_id, product_id, state, total, placed, paid, note, reference)
SELECT n, n, n, CASE n % 5 WHEN 0 THEN 'open' ELSE 'done' END, n, TIMESTAMP '2024-01-01' + n * INTERVAL '1 minute',
       TIMESTAMPTZ '2024-01-02 00:00+00', 'note ' || n, n::text
FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO products
SELECT n, 'p' || n, n, n % 100, n % 100, 'remark', '{"a": 1}',
       tsrange(TIMESTAMP '2024-01-01' + n * INTERVAL '1 hour', TIMESTAMP '2024-01-01' + (n + 1) * INTERVAL '1 hour'), '10.0.0.0/8'
FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO bookings SELECT n, DATE '2023-01-01' + n % 300, n % 9, 'guest' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO bookings SELECT n, DATE '2024-01-01' + n % 300, n % 9, 'guest' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO bookings_2025 SELECT n, DATE '2025-01-01' + n % 300, n % 9, 'guest' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO bookings_2026 SELECT n, DATE '2026-01-01' + n % 300, n % 9, 'guest' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO visits SELECT n, 'north', n FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO visits SELECT n, 'elsewhere', n FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO visits_south SELECT n, 'south', n FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO people SELECT n, 'person', 30 FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO staff SELECT n, 'person', 30, 'desk' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO guests SELECT n, 'person', 30 FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;

INSERT INTO labels SELECT n, 'caption' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
INSERT INTO cache SELECT n::text, 'value' FROM generate_series(1, current_setting('corpus.rows')::integer) AS n;
REFRESH MATERIALIZED VIEW sales;

RESET search_path;

-- Views and materialized views.

-- case: view-created
CREATE VIEW shop.paid_orders AS SELECT id, paid FROM shop.orders WHERE paid IS NOT NULL;

-- case: view-replaced
CREATE OR REPLACE VIEW shop.open_orders AS SELECT id, state, total, note FROM shop.orders WHERE state = 'open';

-- case: view-option-set
ALTER VIEW shop.open_orders SET (security_barrier = true);

-- case: view-default-set
ALTER VIEW shop.open_orders ALTER COLUMN state SET DEFAULT 'open';

-- case: view-column-renamed
ALTER VIEW shop.open_orders RENAME COLUMN total TO amount;

-- case: view-renamed
ALTER VIEW shop.open_orders RENAME TO orders_that_are_open;

-- case: view-dropped
DROP VIEW shop.open_orders;

-- case: materialized-view-created
CREATE MATERIALIZED VIEW shop.states AS SELECT state, count(*) AS orders FROM shop.orders GROUP BY state;

-- case: materialized-view-created-without-rows
CREATE MATERIALIZED VIEW shop.states AS SELECT state, count(*) AS orders FROM shop.orders GROUP BY state WITH NO DATA;

-- case: materialized-view-refreshed
REFRESH MATERIALIZED VIEW shop.sales;

-- case: materialized-view-refreshed-concurrently
REFRESH MATERIALIZED VIEW CONCURRENTLY shop.sales;

-- case: materialized-view-emptied
REFRESH MATERIALIZED VIEW shop.sales WITH NO DATA;

-- case: materialized-view-dropped
DROP MATERIALIZED VIEW shop.sales;

-- Validate the key without stopping writers
-- depends: 20260109_01_d3e4f-add-orders-key
ALTER TABLE orders VALIDATE CONSTRAINT orders_customer_id_fkey;

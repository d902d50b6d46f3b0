-- Orders belong to a customer; what is there is checked by the next migration
-- depends: 20260102_01_a1b2c-create-tables
SET LOCAL lock_timeout = '2s';

ALTER TABLE orders
    ADD CONSTRAINT orders_customer_id_fkey FOREIGN KEY (customer_id) REFERENCES customers (id)
    ON DELETE CASCADE NOT VALID;

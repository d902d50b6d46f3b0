-- DO blocks and functions: what they do is not in their words.

-- case: block-that-does-nothing
DO $$ BEGIN RAISE NOTICE 'nothing to do'; END $$;

-- case: block-that-adds-a-column
DO $$ BEGIN ALTER TABLE shop.orders ADD COLUMN parcel text; END $$;

-- case: block-that-builds-an-index
DO $$ BEGIN EXECUTE format('CREATE INDEX %I ON %I.%I (placed)', 'orders_placed', 'shop', 'orders'); END $$;

-- case: block-that-asks-the-catalog
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conname = 'orders_total') THEN
        ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0);
    END IF;
END $$;

-- case: block-that-asks-the-catalog-and-finds-all-done
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_constraint WHERE conname = 'orders_customer') THEN
        ALTER TABLE shop.orders ADD CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES shop.customers;
    END IF;
END $$;

-- case: block-that-loops-over-tables
DO $$
DECLARE name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['guests', 'people'] LOOP
        EXECUTE format('ALTER TABLE shop.%I ALTER COLUMN age SET NOT NULL', name);
    END LOOP;
END $$;

-- case: block-that-catches-its-own-error
-- as:
ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint;
-- when:
DO $$
BEGIN
    ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint;
    RAISE EXCEPTION 'changed my mind';
EXCEPTION WHEN raise_exception THEN
    NULL;
END $$;

-- case: block-that-says-nothing-of-what-it-does
DO $$
BEGIN
    SET LOCAL client_min_messages = error;
    ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint;
END $$;

-- case: block-whose-branch-depends-on-rows
-- depends on rows
DO $$
BEGIN
    IF EXISTS (SELECT FROM shop.products WHERE amount > 0) THEN
        ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint;
    END IF;
END $$;

-- case: block-that-loops-over-rows
-- depends on rows
DO $$
DECLARE found record;
BEGIN
    FOR found IN SELECT DISTINCT site FROM shop.visits LOOP
        EXECUTE 'CREATE INDEX IF NOT EXISTS visits_south_hits ON shop.visits_south (hits)';
    END LOOP;
END $$;

-- case: function-called-that-changes-a-table
-- given:
CREATE FUNCTION shop.widen() RETURNS void LANGUAGE sql AS 'ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint';
-- when:
SELECT shop.widen();

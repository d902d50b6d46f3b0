-- CHECK, UNIQUE, PRIMARY KEY and EXCLUDE: added, proven, taken from an index, changed, dropped.

-- case: check-added
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0);

-- case: check-added-not-valid
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;

-- case: check-validated
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- when:
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_total;

-- case: check-validated-that-is-valid
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0);
-- when:
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_total;

-- case: check-dropped
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- when:
ALTER TABLE shop.orders DROP CONSTRAINT orders_total;

-- case: check-renamed
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- when:
ALTER TABLE shop.orders RENAME CONSTRAINT orders_total TO orders_total_is_no_debt;

-- case: check-added-to-partitioned
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_room CHECK (room >= 0);

-- case: check-added-not-valid-to-partitioned
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_room CHECK (room >= 0) NOT VALID;

-- case: check-validated-on-partitioned
-- given:
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_room CHECK (room >= 0) NOT VALID;
-- when:
ALTER TABLE shop.bookings VALIDATE CONSTRAINT bookings_room;

-- case: check-added-to-parent-of-inheritance
ALTER TABLE shop.people ADD CONSTRAINT people_age CHECK (age > 0);

-- case: check-added-to-parent-alone
ALTER TABLE shop.people ADD CONSTRAINT people_age CHECK (age > 0) NO INHERIT;

-- case: unique-added
ALTER TABLE shop.orders ADD CONSTRAINT orders_reference UNIQUE (reference);

-- case: unique-added-from-an-index
ALTER TABLE shop.products ADD CONSTRAINT products_code_key UNIQUE USING INDEX products_code;

-- case: unique-added-deferrable-from-an-index
ALTER TABLE shop.products ADD CONSTRAINT products_code_key UNIQUE USING INDEX products_code DEFERRABLE INITIALLY DEFERRED;

-- case: unique-nulls-not-distinct-added
ALTER TABLE shop.orders ADD CONSTRAINT orders_reference UNIQUE NULLS NOT DISTINCT (reference);

-- case: unique-dropped
ALTER TABLE shop.customers DROP CONSTRAINT customers_email_key;

-- case: unique-added-to-partitioned
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_id_day UNIQUE (id, day);

-- case: primary-key-added
ALTER TABLE shop.products ADD CONSTRAINT products_pkey PRIMARY KEY (id);

-- case: primary-key-added-on-a-column-that-may-be-null
ALTER TABLE shop.products ADD CONSTRAINT products_pkey PRIMARY KEY (code);

-- case: primary-key-added-from-an-index
ALTER TABLE shop.products ADD CONSTRAINT products_pkey PRIMARY KEY USING INDEX products_id;

-- case: primary-key-added-from-an-index-on-a-column-that-may-be-null
ALTER TABLE shop.products ADD CONSTRAINT products_pkey PRIMARY KEY USING INDEX products_code;

-- case: primary-key-dropped
ALTER TABLE shop.people DROP CONSTRAINT people_pkey;

-- case: primary-key-changed-for-another
-- given:
CREATE UNIQUE INDEX orders_reference ON shop.orders (reference);
-- when:
ALTER TABLE shop.orders DROP CONSTRAINT orders_pkey, ADD CONSTRAINT orders_pkey PRIMARY KEY USING INDEX orders_reference;

-- case: exclusion-added
ALTER TABLE shop.products ADD CONSTRAINT products_during EXCLUDE USING gist (during WITH &&);

-- case: exclusion-dropped
-- given:
ALTER TABLE shop.products ADD CONSTRAINT products_during EXCLUDE USING gist (during WITH &&);
-- when:
ALTER TABLE shop.products DROP CONSTRAINT products_during;

-- case: check-not-valid-and-not-null-together
ALTER TABLE shop.orders ADD CONSTRAINT orders_state CHECK (state IS NOT NULL) NOT VALID, ALTER COLUMN state SET NOT NULL;

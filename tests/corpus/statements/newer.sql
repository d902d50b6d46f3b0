-- What only newer versions have.

-- case: not-null-added-not-valid
-- since: 18
ALTER TABLE shop.orders ADD CONSTRAINT orders_state_there NOT NULL state NOT VALID;

-- case: not-null-validated
-- since: 18
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_state_there NOT NULL state NOT VALID;
-- when:
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_state_there;

-- case: not-null-set-that-is-not-valid-yet
-- since: 18
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_state_there NOT NULL state NOT VALID;
-- when:
ALTER TABLE shop.orders ALTER COLUMN state SET NOT NULL;

-- case: check-not-enforced
-- since: 18
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT ENFORCED;

-- case: key-not-enforced
-- since: 18
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT ENFORCED;

-- case: key-becomes-enforced
-- since: 18
-- given:
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT ENFORCED;
-- when:
ALTER TABLE shop.guests ALTER CONSTRAINT guests_person ENFORCED;

-- case: column-added-generated-and-virtual
-- since: 18
ALTER TABLE shop.products ADD COLUMN twice integer GENERATED ALWAYS AS (amount * 2) VIRTUAL;

-- case: expression-changed
-- since: 18
ALTER TABLE shop.orders ALTER COLUMN doubled SET EXPRESSION AS (product_id * 3);

-- case: expression-changed-of-a-virtual-column
-- since: 18
-- given:
ALTER TABLE shop.products ADD COLUMN twice integer GENERATED ALWAYS AS (amount * 2) VIRTUAL;
-- when:
ALTER TABLE shop.products ALTER COLUMN twice SET EXPRESSION AS (amount * 3);

-- case: key-added-not-valid-from-partitioned
-- since: 18
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_customer FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;

-- case: constraint-becomes-no-inherit
-- since: 18
-- given:
ALTER TABLE shop.people ADD CONSTRAINT people_age_there NOT NULL age;
-- when:
ALTER TABLE shop.people ALTER CONSTRAINT people_age_there NO INHERIT;

-- case: only-a-partitioned-table-analysed
-- since: 18
ANALYZE ONLY shop.bookings;

-- case: access-method-set-to-default
-- since: 17
ALTER TABLE shop.guests SET ACCESS METHOD DEFAULT;

-- case: statistics-target-reset
-- since: 17
ALTER TABLE shop.orders ALTER COLUMN state SET STATISTICS DEFAULT;

-- Partitions attached, detached and made, with and without a default partition beside them.

-- case: partition-attached
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

-- case: partition-attached-behind-a-proof
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- case: partition-attached-behind-a-proof-that-is-not-valid
-- given:
ALTER TABLE shop.bookings_2025 ADD CONSTRAINT bookings_2025_day CHECK (day >= DATE '2025-01-01' AND day < DATE '2026-01-01') NOT VALID;
-- when:
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');

-- case: partition-attached-beside-a-default
ALTER TABLE shop.visits ATTACH PARTITION shop.visits_south FOR VALUES IN ('south');

-- case: partition-attached-beside-a-default-that-excludes-it
-- given:
ALTER TABLE shop.visits_rest ADD CONSTRAINT visits_rest_no_south CHECK (site <> 'south');
ALTER TABLE shop.visits_south ADD CONSTRAINT visits_south_all CHECK (site = 'south');
-- when:
ALTER TABLE shop.visits ATTACH PARTITION shop.visits_south FOR VALUES IN ('south');

-- case: partition-attached-as-default
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2025 DEFAULT;

-- case: partition-attached-that-lacks-an-index
-- given:
CREATE INDEX bookings_room ON shop.bookings (room);
-- when:
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- case: partition-attached-that-has-the-index
-- given:
CREATE INDEX bookings_room ON shop.bookings (room);
CREATE INDEX bookings_2026_room ON shop.bookings_2026 (room);
-- when:
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');

-- case: partition-created
CREATE TABLE shop.bookings_2027 PARTITION OF shop.bookings FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');

-- case: partition-created-beside-a-default
CREATE TABLE shop.visits_east PARTITION OF shop.visits FOR VALUES IN ('east');

-- case: partition-created-as-default
CREATE TABLE shop.bookings_rest PARTITION OF shop.bookings DEFAULT;

-- case: partition-created-alone-then-attached-beside-a-default
CREATE TABLE shop.visits_east (LIKE shop.visits INCLUDING ALL);
ALTER TABLE shop.visits ATTACH PARTITION shop.visits_east FOR VALUES IN ('east');

-- case: partition-detached
ALTER TABLE shop.bookings DETACH PARTITION shop.bookings_2023;

-- case: partition-detached-concurrently
-- transactional: false
ALTER TABLE shop.bookings DETACH PARTITION shop.bookings_2023 CONCURRENTLY;

-- case: partition-dropped
DROP TABLE shop.bookings_2023;

-- case: partition-truncated
TRUNCATE shop.bookings_2023;

-- case: partitioned-table-created-with-partitions
CREATE TABLE shop.logs (id bigint, at timestamptz NOT NULL) PARTITION BY RANGE (at);
CREATE TABLE shop.logs_2024 PARTITION OF shop.logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
CREATE TABLE shop.logs_rest PARTITION OF shop.logs DEFAULT;
CREATE INDEX logs_at ON shop.logs (at);

-- case: partition-of-a-partition-attached
-- given:
CREATE TABLE shop.bookings_2025_26 (LIKE shop.bookings) PARTITION BY RANGE (day);
ALTER TABLE shop.bookings_2025_26 ATTACH PARTITION shop.bookings_2025 FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
-- when:
ALTER TABLE shop.bookings ATTACH PARTITION shop.bookings_2025_26 FOR VALUES FROM ('2025-01-01') TO ('2027-01-01');

-- case: partition-dropped-with-a-key-to-the-parent
-- given:
ALTER TABLE shop.bookings ADD CONSTRAINT bookings_customer FOREIGN KEY (id) REFERENCES shop.customers;
-- when:
ALTER TABLE shop.bookings DETACH PARTITION shop.bookings_2023;
DROP TABLE shop.bookings_2023;

-- case: partition-index-dropped-with-its-parent
-- given:
CREATE INDEX bookings_room ON shop.bookings (room);
-- when:
DROP INDEX shop.bookings_room;

-- case: primary-key-added-alone-to-partitioned
ALTER TABLE ONLY shop.bookings ADD CONSTRAINT bookings_pkey PRIMARY KEY (id, day);

-- case: partitioned-table-built-again
-- given:
CREATE INDEX bookings_room ON shop.bookings (room);
-- when:
-- transactional: false
REINDEX TABLE shop.bookings;

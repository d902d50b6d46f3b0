-- Whole tables: named, owned, moved, copied, emptied, dropped; their options, triggers, rules and policies.

-- case: table-renamed
ALTER TABLE shop.orders RENAME TO purchases;

-- case: table-moved-to-another-schema
-- given:
CREATE SCHEMA archive;
-- when:
ALTER TABLE shop.orders SET SCHEMA archive;

-- case: table-owner-changed
ALTER TABLE shop.orders OWNER TO pg_database_owner;

-- case: table-dropped
DROP TABLE shop.guests;

-- case: table-created
CREATE TABLE shop.crates (id bigint PRIMARY KEY, content text NOT NULL, UNIQUE (content));

-- case: table-created-like-another
CREATE TABLE shop.crates (LIKE shop.orders INCLUDING ALL);

-- case: table-created-from-a-query
CREATE TABLE shop.crates AS SELECT id, state FROM shop.orders;

-- case: table-created-from-a-query-without-rows
CREATE TABLE shop.crates AS SELECT id, state FROM shop.orders WITH NO DATA;

-- case: table-created-temporary
CREATE TEMPORARY TABLE basket (id bigint PRIMARY KEY) ON COMMIT DROP;

-- case: table-truncated
TRUNCATE shop.guests;

-- case: table-truncated-with-those-that-reference-it
TRUNCATE shop.customers CASCADE;

-- case: table-becomes-unlogged
ALTER TABLE shop.guests SET UNLOGGED;

-- case: table-becomes-logged
ALTER TABLE shop.cache SET LOGGED;

-- case: table-becomes-logged-that-is
ALTER TABLE shop.guests SET LOGGED;

-- case: fillfactor-set
ALTER TABLE shop.orders SET (fillfactor = 80);

-- case: autovacuum-set
ALTER TABLE shop.orders SET (autovacuum_vacuum_scale_factor = 0.01);

-- case: options-reset
ALTER TABLE shop.orders RESET (fillfactor);

-- case: table-moved-to-another-tablespace
ALTER TABLE shop.orders SET TABLESPACE elsewhere;

-- case: table-moved-to-the-tablespace-where-it-is
ALTER TABLE shop.orders SET TABLESPACE pg_default;

-- case: access-method-changed
ALTER TABLE shop.guests SET ACCESS METHOD other_heap;

-- case: access-method-changed-to-what-it-is
ALTER TABLE shop.guests SET ACCESS METHOD heap;

-- case: replica-identity-full
ALTER TABLE shop.orders REPLICA IDENTITY FULL;

-- case: replica-identity-from-an-index
ALTER TABLE shop.products REPLICA IDENTITY USING INDEX products_id;

-- case: cluster-chosen
ALTER TABLE shop.orders CLUSTER ON orders_state;

-- case: cluster-given-up
ALTER TABLE shop.orders SET WITHOUT CLUSTER;

-- case: clustered
CLUSTER shop.orders USING orders_state;

-- case: clustered-all
-- given:
ALTER TABLE shop.orders CLUSTER ON orders_state;
-- when:
-- transactional: false
CLUSTER;

-- case: vacuumed
-- transactional: false
VACUUM shop.orders;

-- case: vacuumed-full
-- transactional: false
VACUUM FULL shop.orders;

-- case: analysed
ANALYZE shop.orders;

-- case: locked-and-nothing-done
LOCK TABLE shop.orders IN ACCESS EXCLUSIVE MODE;

-- case: locked-and-then-read-whole
LOCK TABLE shop.orders IN SHARE ROW EXCLUSIVE MODE;
SELECT count(*) FROM shop.orders WHERE total < 0;

-- case: trigger-created
CREATE TRIGGER orders_stamp BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();

-- case: constraint-trigger-created
CREATE CONSTRAINT TRIGGER orders_stamp AFTER INSERT ON shop.orders DEFERRABLE FOR EACH ROW EXECUTE FUNCTION shop.stamp();

-- case: trigger-created-on-partitioned
CREATE TRIGGER bookings_stamp BEFORE INSERT ON shop.bookings FOR EACH ROW EXECUTE FUNCTION shop.stamp();

-- case: trigger-disabled
ALTER TABLE shop.products DISABLE TRIGGER products_stamp;

-- case: triggers-disabled-all
ALTER TABLE shop.products DISABLE TRIGGER ALL;

-- case: trigger-enabled-always
ALTER TABLE shop.products ENABLE ALWAYS TRIGGER products_stamp;

-- case: trigger-renamed
ALTER TRIGGER products_stamp ON shop.products RENAME TO products_mark;

-- case: trigger-dropped
DROP TRIGGER products_stamp ON shop.products;

-- case: rule-created
CREATE RULE guests_stay AS ON DELETE TO shop.guests DO INSTEAD NOTHING;

-- case: rule-disabled
-- given:
CREATE RULE guests_stay AS ON DELETE TO shop.guests DO INSTEAD NOTHING;
-- when:
ALTER TABLE shop.guests DISABLE RULE guests_stay;

-- case: rule-dropped
-- given:
CREATE RULE guests_stay AS ON DELETE TO shop.guests DO INSTEAD NOTHING;
-- when:
DROP RULE guests_stay ON shop.guests;

-- case: policy-created
CREATE POLICY orders_own ON shop.orders USING (state = 'open');

-- case: policy-changed
-- given:
CREATE POLICY orders_own ON shop.orders USING (state = 'open');
-- when:
ALTER POLICY orders_own ON shop.orders USING (state <> 'open');

-- case: policy-dropped
-- given:
CREATE POLICY orders_own ON shop.orders USING (state = 'open');
-- when:
DROP POLICY orders_own ON shop.orders;

-- case: row-security-enabled
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY;

-- case: row-security-forced
ALTER TABLE shop.orders FORCE ROW LEVEL SECURITY;

-- case: row-security-disabled
-- given:
ALTER TABLE shop.orders ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY;
-- when:
ALTER TABLE shop.orders DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;

-- case: trigger-enabled-on-replicas
ALTER TABLE shop.products ENABLE REPLICA TRIGGER products_stamp;

-- case: triggers-of-users-enabled
ALTER TABLE shop.products ENABLE TRIGGER USER;

-- case: rule-enabled-always
-- given:
CREATE RULE guests_stay AS ON DELETE TO shop.guests DO INSTEAD NOTHING;
-- when:
ALTER TABLE shop.guests ENABLE ALWAYS RULE guests_stay;

-- case: replica-identity-nothing
ALTER TABLE shop.orders REPLICA IDENTITY NOTHING;

-- case: table-without-oids
ALTER TABLE shop.orders SET WITHOUT OIDS;

-- case: tables-of-a-tablespace-moved
ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE elsewhere;

-- case: table-altered-if-it-exists-and-it-does-not
ALTER TABLE IF EXISTS shop.nothing ALTER COLUMN id TYPE bigint;

-- case: toast-options-set
ALTER TABLE shop.orders SET (toast.autovacuum_enabled = false, parallel_workers = 2);

-- case: foreign-table-altered
-- given:
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER far FOREIGN DATA WRAPPER nowhere;
CREATE FOREIGN TABLE shop.remote (id integer) SERVER far;
-- when:
ALTER FOREIGN TABLE shop.remote ADD COLUMN note text, ALTER COLUMN id TYPE bigint;

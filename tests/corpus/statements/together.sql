-- Several statements in one transaction, and the same each in its own.

-- case: check-not-valid-and-validated-in-one-transaction
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_total;

-- case: check-not-valid-and-validated-each-alone
-- transactional: false
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_total;

-- case: key-not-valid-and-validated-in-one-transaction
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;
ALTER TABLE shop.guests VALIDATE CONSTRAINT guests_person;

-- case: key-not-valid-and-validated-each-alone
-- transactional: false
ALTER TABLE shop.guests ADD CONSTRAINT guests_person FOREIGN KEY (id) REFERENCES shop.customers NOT VALID;
ALTER TABLE shop.guests VALIDATE CONSTRAINT guests_person;

-- case: two-tables-locked-briefly
ALTER TABLE shop.orders ADD COLUMN parcel text;
ALTER TABLE shop.customers ADD COLUMN nickname text;

-- case: column-added-and-a-long-query-behind-it
ALTER TABLE shop.customers ADD COLUMN orders integer;
SELECT count(*) FROM shop.orders;

-- case: column-added-and-filled
ALTER TABLE shop.orders ADD COLUMN parcel text;
UPDATE shop.orders SET parcel = reference;

-- case: column-added-and-filled-in-part
ALTER TABLE shop.orders ADD COLUMN parcel text;
UPDATE shop.orders SET parcel = reference WHERE id = 1;

-- case: trigger-then-index-of-another-table
CREATE TRIGGER orders_stamp BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.stamp();
CREATE INDEX guests_name ON shop.guests (name);

-- case: comment-then-check-validated
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0) NOT VALID;
-- when:
COMMENT ON TABLE shop.orders IS 'what was bought';
ALTER TABLE shop.orders VALIDATE CONSTRAINT orders_total;

-- case: new-table-with-everything
CREATE TABLE shop.crates (id bigint, content text);
INSERT INTO shop.crates SELECT 1, 'apples';
ALTER TABLE shop.crates ADD PRIMARY KEY (id), ALTER COLUMN content SET NOT NULL, ADD COLUMN made timestamptz DEFAULT clock_timestamp();
CREATE INDEX crates_content ON shop.crates (content);
ALTER TABLE shop.crates ALTER COLUMN content TYPE varchar(20);
UPDATE shop.crates SET content = 'pears';

-- case: new-table-filled-from-another-then-indexed
CREATE TABLE shop.states AS SELECT DISTINCT state FROM shop.orders;
ALTER TABLE shop.states ADD PRIMARY KEY (state);

-- case: new-table-references-old-and-is-indexed
CREATE TABLE shop.returns (id bigint PRIMARY KEY, order_id bigint NOT NULL);
ALTER TABLE shop.returns ADD FOREIGN KEY (order_id) REFERENCES shop.orders;
CREATE INDEX returns_order ON shop.returns (order_id);

-- case: old-table-references-new
CREATE TABLE shop.teams (id bigint PRIMARY KEY);
ALTER TABLE shop.people ADD COLUMN team bigint REFERENCES shop.teams;

-- case: old-table-references-new-by-a-filled-column
CREATE TABLE shop.teams (id bigint PRIMARY KEY);
INSERT INTO shop.teams SELECT DISTINCT age FROM shop.guests;
ALTER TABLE shop.guests ALTER COLUMN age TYPE bigint, ADD CONSTRAINT guests_team FOREIGN KEY (age) REFERENCES shop.teams;

-- case: index-then-constraint-from-it
CREATE UNIQUE INDEX orders_reference ON shop.orders (reference);
ALTER TABLE shop.orders ADD CONSTRAINT orders_reference UNIQUE USING INDEX orders_reference;

-- case: index-then-constraint-from-it-each-alone
-- transactional: false
CREATE UNIQUE INDEX CONCURRENTLY orders_reference ON shop.orders (reference);
ALTER TABLE shop.orders ADD CONSTRAINT orders_reference UNIQUE USING INDEX orders_reference;

-- case: tables-changed-places
ALTER TABLE shop.guests RENAME TO guests_old;
CREATE TABLE shop.guests (LIKE shop.guests_old INCLUDING ALL);

-- case: altered-after-renamed
ALTER TABLE shop.guests RENAME TO visitors;
ALTER TABLE shop.visitors ALTER COLUMN age TYPE bigint;

-- case: work-taken-back-to-a-savepoint
-- as:
CREATE INDEX guests_name ON shop.guests (name);
-- when:
SAVEPOINT before;
CREATE INDEX guests_name ON shop.guests (name);
ROLLBACK TO before;

-- case: work-kept-behind-a-savepoint
SAVEPOINT before;
ALTER TABLE shop.guests ADD COLUMN town text;
RELEASE before;

-- case: concurrent-index-then-validated
-- transactional: false
CREATE INDEX CONCURRENTLY guests_name ON shop.guests (name);
ANALYZE shop.guests;

-- case: constraint-replaced-by-a-wider-one
-- given:
ALTER TABLE shop.orders ADD CONSTRAINT orders_total CHECK (total >= 0);
-- when:
ALTER TABLE shop.orders DROP CONSTRAINT orders_total, ADD CONSTRAINT orders_total CHECK (total >= -100) NOT VALID;

-- case: column-moved-to-a-new-one-without-its-rows
ALTER TABLE shop.orders ADD COLUMN cents bigint;
CREATE FUNCTION shop.to_cents() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.cents := NEW.total * 100; RETURN NEW; END';
CREATE TRIGGER orders_cents BEFORE INSERT OR UPDATE ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.to_cents();

-- case: read-whole-before-anything-is-locked
CREATE TEMPORARY TABLE open_ones ON COMMIT DROP AS SELECT id FROM shop.orders WHERE total > 1000000;
ALTER TABLE shop.customers ADD COLUMN nickname text;

-- case: table-copied-and-swapped
CREATE TABLE shop.guests_new (LIKE shop.guests INCLUDING ALL);
INSERT INTO shop.guests_new SELECT * FROM shop.guests;
ALTER TABLE shop.guests RENAME TO guests_old;
ALTER TABLE shop.guests_new RENAME TO guests;

-- case: table-locked-copied-and-swapped
LOCK TABLE shop.guests IN SHARE MODE;
CREATE TABLE shop.guests_new (LIKE shop.guests INCLUDING ALL);
INSERT INTO shop.guests_new SELECT * FROM shop.guests;
DROP TABLE shop.guests;
ALTER TABLE shop.guests_new RENAME TO guests;

-- ALTER TABLE … ALTER COLUMN … TYPE: copied, its indexes built again, or nothing at all.

-- case: type-integer-to-bigint
ALTER TABLE shop.products ALTER COLUMN amount TYPE bigint;

-- case: type-bigint-to-integer
ALTER TABLE shop.guests ALTER COLUMN id TYPE integer;

-- case: type-varchar-longer
ALTER TABLE shop.orders ALTER COLUMN note TYPE varchar(200);

-- case: type-varchar-longer-of-an-indexed-column
ALTER TABLE shop.customers ALTER COLUMN name TYPE varchar(120) COLLATE "C";

-- case: type-varchar-shorter
ALTER TABLE shop.orders ALTER COLUMN reference TYPE varchar(30);

-- case: type-varchar-to-text
ALTER TABLE shop.customers ALTER COLUMN name TYPE text COLLATE "C";

-- case: type-varchar-to-text-inside-an-expression-index
ALTER TABLE shop.orders ALTER COLUMN note TYPE text;

-- case: type-text-to-varchar
ALTER TABLE shop.products ALTER COLUMN code TYPE varchar;

-- case: type-text-to-varchar-with-a-length
ALTER TABLE shop.products ALTER COLUMN code TYPE varchar(100);

-- case: type-char-to-text
ALTER TABLE shop.customers ALTER COLUMN country TYPE text;

-- case: type-numeric-more-digits-before-the-point
-- given:
DROP VIEW shop.open_orders;
DROP MATERIALIZED VIEW shop.sales;
-- when:
ALTER TABLE shop.orders ALTER COLUMN total TYPE numeric(14, 2);

-- case: type-numeric-without-bounds
-- given:
DROP VIEW shop.open_orders;
DROP MATERIALIZED VIEW shop.sales;
-- when:
ALTER TABLE shop.orders ALTER COLUMN total TYPE numeric;

-- case: type-numeric-more-digits-behind-the-point
-- given:
DROP VIEW shop.open_orders;
DROP MATERIALIZED VIEW shop.sales;
-- when:
ALTER TABLE shop.orders ALTER COLUMN total TYPE numeric(12, 4);

-- case: type-timestamp-coarser
ALTER TABLE shop.customers ALTER COLUMN seen TYPE timestamp(0);

-- case: type-timestamp-gets-a-zone
ALTER TABLE shop.customers ALTER COLUMN seen TYPE timestamptz USING seen AT TIME ZONE 'Europe/Vienna';

-- case: type-timestamp-gets-a-zone-under-utc
SET LOCAL TimeZone = 'UTC';
ALTER TABLE shop.customers ALTER COLUMN seen TYPE timestamptz;

-- case: type-timestamp-gets-a-zone-elsewhere
SET LOCAL TimeZone = 'Europe/Vienna';
ALTER TABLE shop.customers ALTER COLUMN seen TYPE timestamptz;

-- case: type-json-to-jsonb
ALTER TABLE shop.products ALTER COLUMN details TYPE jsonb;

-- case: type-cidr-to-inet
ALTER TABLE shop.products ALTER COLUMN ip TYPE inet;

-- case: type-enum-to-text
ALTER TABLE shop.customers ALTER COLUMN feeling TYPE text;

-- case: type-integer-to-text
ALTER TABLE shop.guests ALTER COLUMN age TYPE text;

-- case: type-text-to-integer-using
ALTER TABLE shop.orders ALTER COLUMN reference TYPE integer USING reference::integer;

-- case: type-to-a-domain-without-check
ALTER TABLE shop.products ALTER COLUMN amount TYPE shop.percent;

-- case: type-to-a-domain-with-check
ALTER TABLE shop.customers ALTER COLUMN score TYPE shop.grade;

-- case: type-from-a-domain
ALTER TABLE shop.products ALTER COLUMN level TYPE integer;

-- case: type-the-same
ALTER TABLE shop.products ALTER COLUMN amount TYPE integer;

-- case: type-the-same-using-itself
ALTER TABLE shop.products ALTER COLUMN amount TYPE integer USING amount;

-- case: type-the-same-using-an-expression
ALTER TABLE shop.products ALTER COLUMN amount TYPE integer USING amount + 0;

-- case: type-collation-of-an-indexed-column
ALTER TABLE shop.customers ALTER COLUMN name TYPE varchar(60) COLLATE "POSIX";

-- case: type-collation-of-a-plain-column
ALTER TABLE shop.guests ALTER COLUMN name TYPE text COLLATE "C";

-- case: type-of-a-key-on-the-referencing-side
ALTER TABLE shop.orders ALTER COLUMN customer_id TYPE integer;

-- case: type-of-a-key-on-the-referenced-side
ALTER TABLE shop.customers ALTER COLUMN id TYPE integer;

-- case: type-of-a-primary-key
ALTER TABLE shop.people ALTER COLUMN id TYPE integer;

-- case: type-on-partitioned
ALTER TABLE shop.bookings ALTER COLUMN room TYPE bigint;

-- case: type-inside-the-predicate-of-an-index
ALTER TABLE shop.orders ALTER COLUMN paid TYPE timestamptz(6);

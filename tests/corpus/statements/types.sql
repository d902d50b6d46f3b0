-- Types: domains whose rules read every table that uses them, enums, composite types, ranges.

-- case: domain-created
CREATE DOMAIN shop.code AS text CHECK (VALUE <> '');

-- case: domain-check-added
ALTER DOMAIN shop.percent ADD CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100);

-- case: domain-check-added-not-valid
ALTER DOMAIN shop.percent ADD CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100) NOT VALID;

-- case: domain-check-validated
-- given:
ALTER DOMAIN shop.percent ADD CONSTRAINT percent_range CHECK (VALUE BETWEEN 0 AND 100) NOT VALID;
-- when:
ALTER DOMAIN shop.percent VALIDATE CONSTRAINT percent_range;

-- case: domain-check-added-that-no-table-uses
-- given:
CREATE DOMAIN shop.code AS text;
-- when:
ALTER DOMAIN shop.code ADD CONSTRAINT code_there CHECK (VALUE <> '');

-- case: domain-not-null-set
ALTER DOMAIN shop.percent SET NOT NULL;

-- case: domain-not-null-dropped
ALTER DOMAIN shop.percent DROP NOT NULL;

-- case: domain-check-dropped
ALTER DOMAIN shop.grade DROP CONSTRAINT grade_range;

-- case: domain-default-set
ALTER DOMAIN shop.percent SET DEFAULT 50;

-- case: domain-dropped-with-its-columns
DROP DOMAIN shop.percent CASCADE;

-- case: enum-created
CREATE TYPE shop.size AS ENUM ('small', 'large');

-- case: enum-value-added
ALTER TYPE shop.mood ADD VALUE 'sad' AFTER 'calm';

-- case: enum-value-renamed
ALTER TYPE shop.mood RENAME VALUE 'cross' TO 'angry';

-- case: composite-type-created
CREATE TYPE shop.point3 AS (x float8, y float8, z float8);

-- case: attribute-added-to-a-type-of-tables
ALTER TYPE shop.label ADD ATTRIBUTE colour text CASCADE;

-- case: attribute-of-a-type-of-tables-changed
ALTER TYPE shop.label ALTER ATTRIBUTE code TYPE bigint CASCADE;

-- case: attribute-of-a-type-of-tables-dropped
ALTER TYPE shop.label DROP ATTRIBUTE caption CASCADE;

-- case: range-type-created
CREATE TYPE shop.price_range AS RANGE (SUBTYPE = numeric);

-- case: type-renamed
ALTER TYPE shop.mood RENAME TO temper;

-- case: type-dropped-with-its-columns
DROP TYPE shop.mood CASCADE;

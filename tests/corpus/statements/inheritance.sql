-- Inheritance, and tables of a composite type.

-- case: inheritance-added
ALTER TABLE shop.guests INHERIT shop.people;

-- case: inheritance-removed
ALTER TABLE shop.staff NO INHERIT shop.people;

-- case: child-created
CREATE TABLE shop.apprentices (school text) INHERITS (shop.people);

-- case: column-of-the-children-renamed
ALTER TABLE shop.people RENAME COLUMN name TO full_name;

-- case: type-of-the-children-changed
ALTER TABLE shop.people ALTER COLUMN age TYPE bigint;

-- case: not-null-of-the-children-set
ALTER TABLE shop.people ALTER COLUMN age SET NOT NULL;

-- case: typed-table-freed
ALTER TABLE shop.labels NOT OF;

-- case: table-becomes-typed
-- given:
CREATE TABLE shop.stickers (code integer, caption varchar(40));
-- filled:
INSERT INTO shop.stickers SELECT code, caption FROM shop.labels;
-- when:
ALTER TABLE shop.stickers OF shop.label;

-- the rule is in the way of the child's drop, and the child of its table's

CREATE TABLE payments (at date);
CREATE TABLE payments_2026 () INHERITS (payments);
CREATE RULE by_year AS ON INSERT TO payments WHERE new.at >= '2026-01-01' DO INSTEAD INSERT INTO payments_2026 VALUES (new.at);
-- after
CREATE TABLE other (id integer);

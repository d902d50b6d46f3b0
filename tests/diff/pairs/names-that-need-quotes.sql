-- names that need quotes

CREATE TABLE "Order" ("select" int, "A b" text);

-- after

CREATE TABLE "Order" ("select" bigint CHECK ("select" > 0), "A b" text NOT NULL, "é""x" int DEFAULT 1);
CREATE INDEX "my index" ON "Order" ("A b");
CREATE VIEW "V" AS SELECT "select" FROM "Order";

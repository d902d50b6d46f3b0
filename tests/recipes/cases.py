"""One recipe each, and the plain statement that would make the same."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Case:
    recipe: str
    words: tuple[str, ...]
    plain: str
    """What is made without care."""
    options: dict[str, object] = field(default_factory=dict)
    first: str = ""

    @property
    def table(self) -> str:
        return self.words[0].rpartition(".")[0]

    def __str__(self) -> str:
        return "-".join((self.recipe, *self.words, *self.options))


def case(recipe: str, *words: str, plain: str, first: str = "", **options: object) -> Case:
    return Case(recipe, words, plain, options, first)


SAME = [
    case("index", "orders", "customer_id, at DESC", plain="CREATE INDEX ON orders (customer_id, at DESC)"),
    case("index", "orders", "lower(note)", plain="CREATE INDEX ON orders (lower(note))"),
    case("index", "orders", "note", plain="CREATE INDEX nn ON orders USING hash (note) WHERE at > '2020-01-01'",
         using="hash", where="at > '2020-01-01'", name="nn"),
    case("index", '"Odd names"', '"Mail", "select"', plain='CREATE INDEX ON "Odd names" ("Mail", "select")'),
    case("index", "events", "customer_id", plain="CREATE INDEX ON events (customer_id)"),
    case("unique", "customers", "email", plain="ALTER TABLE customers ADD UNIQUE (email)"),
    case("unique", '"Odd names"', '"Mail", "The id"', plain='ALTER TABLE "Odd names" ADD UNIQUE ("Mail", "The id")'),
    case("unique", "orders", "mail", plain="CREATE UNIQUE INDEX ON orders (mail) WHERE note IS NOT NULL",
         where="note IS NOT NULL"),
    case("unique", "customers", "lower(email)", plain="CREATE UNIQUE INDEX ON customers (lower(email))"),
    case("unique", "events", "id, at, kind", plain="ALTER TABLE events ADD UNIQUE (id, at, kind)"),
    case("primary-key", '"Odd names"', '"The id"', plain='ALTER TABLE "Odd names" ADD PRIMARY KEY ("The id")'),
    case("not-null", "orders.customer_id", plain="ALTER TABLE orders ALTER customer_id SET NOT NULL"),
    case("not-null", '"Odd names"."The id"', plain='ALTER TABLE "Odd names" ALTER "The id" SET NOT NULL'),
    case("not-null", "events.customer_id", plain="ALTER TABLE events ALTER customer_id SET NOT NULL"),
    case("check", "orders", "amount > 0", plain="ALTER TABLE orders ADD CHECK (amount > 0)"),
    case("check", "events", "id > 0 AND customer_id > 0", name="c",
         plain="ALTER TABLE events ADD CONSTRAINT c CHECK (id > 0 AND customer_id > 0)"),
    case("foreign-key", "orders.customer_id", "customers.id",
         plain="CREATE INDEX ON orders (customer_id); ALTER TABLE orders"
         " ADD FOREIGN KEY (customer_id) REFERENCES customers (id) ON DELETE CASCADE ON UPDATE SET NULL",
         on_delete="cascade", on_update="set-null"),
    case("foreign-key", "orders.customer_id", "customers", first="CREATE INDEX i ON orders (customer_id, note)",
         plain="ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers"),
    case("foreign-key", "events.customer_id", "customers",
         plain="CREATE INDEX ON events (customer_id);"
         " ALTER TABLE events ADD FOREIGN KEY (customer_id) REFERENCES customers"),
    case("validate", "orders", "c", plain="ALTER TABLE orders VALIDATE CONSTRAINT c",
         first="ALTER TABLE orders ADD CONSTRAINT c CHECK (id > 0) NOT VALID"),
    case("add-column", "orders.flag", "boolean", plain="ALTER TABLE orders ADD flag boolean NOT NULL DEFAULT true",
         default="true", not_null=True),
    case("add-column", "orders.token", "uuid", default="gen_random_uuid()", not_null=True, batch=100,
         plain="ALTER TABLE orders ADD token uuid NOT NULL DEFAULT gen_random_uuid()"),
    case("add-column", "events.token", "float", default="random()", batch=100,
         plain="ALTER TABLE events ADD token float DEFAULT random()"),
    case("add-column", '"Odd names"."The batch_"', "float", default="random()", batch=3,
         plain='ALTER TABLE "Odd names" ADD "The batch_" float DEFAULT random()'),
]  # fmt: skip

KEYS = """CREATE TABLE lines (id serial PRIMARY KEY, order_id integer NOT NULL REFERENCES orders ON DELETE CASCADE);
INSERT INTO lines (order_id) SELECT id FROM orders; CREATE INDEX ON lines (order_id);
ALTER TABLE orders ADD CHECK (id > 0);"""

# All that hangs on a column, with names that mean something else elsewhere.
HUNG = """ALTER TABLE orders RENAME COLUMN note TO zone;
ALTER TABLE orders ADD number integer GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 5 MAXVALUE 900000);
ALTER SEQUENCE orders_number_seq RENAME TO "odd ""seq.1";
CREATE TABLE regions (zone text, region text, PRIMARY KEY (zone, region));
INSERT INTO regions SELECT zone, 'eu' FROM orders; ALTER TABLE orders ADD region text DEFAULT 'eu';
ALTER TABLE orders ALTER zone SET STATISTICS 500, ALTER zone SET (n_distinct = 50), ALTER zone SET DEFAULT 'n1',
    ADD CONSTRAINT zoned FOREIGN KEY (zone, region) REFERENCES regions (zone, region) ON DELETE SET NULL (zone),
    ADD CHECK (zone <> 'zone'), ADD UNIQUE (zone, id) DEFERRABLE INITIALLY DEFERRED, ADD UNIQUE (id) INCLUDE (zone);
CREATE UNIQUE INDEX by_zone ON orders (id, (upper(zone)) text_pattern_ops);
CREATE UNIQUE INDEX by_number ON orders (number);
ALTER TABLE orders ALTER zone DROP DEFAULT, REPLICA IDENTITY USING INDEX by_number, CLUSTER ON by_zone;
CREATE STATISTICS st ON at, zone FROM orders; COMMENT ON STATISTICS st IS 'st'; COMMENT ON INDEX by_zone IS 'by zone';
COMMENT ON COLUMN orders.zone IS 'public.zone'; COMMENT ON CONSTRAINT zoned ON orders IS 'zoned';"""

# What is made anew is now the last column.
MOVED = [
    case("change-type", "orders.id", "bigint", plain="ALTER TABLE orders ALTER id TYPE bigint", first=KEYS),
    case("change-type", "lines.id", "bigint", plain="ALTER TABLE lines ALTER id TYPE bigint", first=KEYS),
    case("change-type", "lines.order_id", "bigint", plain="ALTER TABLE lines ALTER order_id TYPE bigint", first=KEYS),
    case("change-type", "orders.zone", "varchar(9)", plain="ALTER TABLE orders ALTER zone TYPE varchar(9)", first=HUNG),
    case("change-type", "orders.number", "bigint", plain="ALTER TABLE orders ALTER number TYPE bigint", first=HUNG),
    case("change-type", "orders.mail", "varchar(70)", plain="ALTER TABLE orders ALTER mail TYPE varchar(70)"),
    case("change-type", "orders.amount", "numeric(12,2)", plain="ALTER TABLE orders ALTER amount TYPE numeric(12,2)"),
    case("change-type", "orders.amount", "integer", plain="ALTER TABLE orders ALTER amount TYPE integer"),
    case("change-type", "orders.at", "timestamp", plain="ALTER TABLE orders ALTER at TYPE timestamp"
         " USING at AT TIME ZONE 'Asia/Tokyo'", using="at AT TIME ZONE 'Asia/Tokyo'"),
    case("change-type", "orders.note", "json", plain="ALTER TABLE orders ALTER note TYPE json USING to_json(note)",
         using="to_json(note)"),
    case("change-type", '"Odd names"."The id"', "bigint", plain='ALTER TABLE "Odd names" ALTER "The id" TYPE bigint'),
]  # fmt: skip

IN_PLACE = [
    case("change-type", "orders.note", "varchar", plain="ALTER TABLE orders ALTER note TYPE varchar"),
    case("rename-column", "orders.mail", "email", plain="ALTER TABLE orders RENAME mail TO email",
         first="ALTER TABLE orders ADD CHECK (mail <> ''), ADD UNIQUE (mail, id)"),
    case("rename-column", "orders.doc", "document", plain="ALTER TABLE orders RENAME doc TO document",
         first="ALTER TABLE orders ADD doc json; UPDATE orders SET doc = to_json(note)"),
    case("rename-column", "orders.id", "number", plain="ALTER TABLE orders RENAME id TO number", first=KEYS),
    case("rename-column", "orders.at", '"Made at"', plain='ALTER TABLE orders RENAME at TO "Made at"'),
    case("rename-column", '"Odd names"."select"', "from", plain='ALTER TABLE "Odd names" RENAME "select" TO "from"'),
    case("rename-column", "events.customer_id", "client", plain="ALTER TABLE events RENAME customer_id TO client",
         first="CREATE INDEX ON events (customer_id)"),
    case("rename-column", "orders.customer_id", "client", plain="ALTER TABLE orders RENAME customer_id TO client",
         first="ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers"),
]  # fmt: skip

# What is not there any more afterwards.
GONE = [
    case("drop-column", "orders.zone", plain="ALTER TABLE orders DROP zone", first=HUNG),
    case("drop-column", "orders.number", plain="ALTER TABLE orders DROP number", first=HUNG),
    case("drop-column", "orders.at", plain="ALTER TABLE orders DROP at"),
    case("drop-column", "lines.id", plain="ALTER TABLE lines DROP id",
         first="CREATE TABLE lines (id serial, n int); INSERT INTO lines SELECT"),
    case("drop-column", "orders.mail", plain="ALTER TABLE orders DROP mail",
         first="ALTER TABLE orders ADD CHECK (mail <> ''), ADD UNIQUE (mail, id);"
         " COMMENT ON COLUMN orders.mail IS 'a\\b''c'"),
    case("drop-column", "orders.customer_id", plain="ALTER TABLE orders DROP customer_id",
         first="CREATE INDEX ON orders (customer_id);"
         " ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers ON DELETE CASCADE"),
    case("drop-column", '"Odd names"."select"', plain='ALTER TABLE "Odd names" DROP "select"',
         first='CREATE INDEX ON "Odd names" (("select" + 1), "Mail")'),
    case("drop-column", "events.customer_id", plain="ALTER TABLE events DROP customer_id"),
]  # fmt: skip

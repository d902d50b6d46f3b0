"""Each recipe's files make what the plain statement would have made, and their rollbacks take it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.recipes.shop import apply, assert_same, catalog, cook, made, positions_left_out, rows, take_back
from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations


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

# What is made anew is now the last column.
MOVED = [
    case("change-type", "orders.id", "bigint", plain="ALTER TABLE orders ALTER id TYPE bigint", first=KEYS),
    case("change-type", "lines.id", "bigint", plain="ALTER TABLE lines ALTER id TYPE bigint", first=KEYS),
    case("change-type", "lines.order_id", "bigint", plain="ALTER TABLE lines ALTER order_id TYPE bigint", first=KEYS),
    case("change-type", "orders.mail", "varchar(70)", plain="ALTER TABLE orders ALTER mail TYPE varchar(70)"),
    case("change-type", "orders.amount", "numeric(12,2)", plain="ALTER TABLE orders ALTER amount TYPE numeric(12,2)"),
    case("change-type", "orders.amount", "integer", plain="ALTER TABLE orders ALTER amount TYPE integer"),
    case("change-type", "orders.at", "timestamp", plain="ALTER TABLE orders ALTER at TYPE timestamp"
         " USING at AT TIME ZONE 'Asia/Tokyo'", using="at AT TIME ZONE 'Asia/Tokyo'"),
    case("change-type", '"Odd names"."The id"', "bigint", plain='ALTER TABLE "Odd names" ALTER "The id" TYPE bigint'),
]  # fmt: skip

IN_PLACE = [
    case("change-type", "orders.note", "varchar", plain="ALTER TABLE orders ALTER note TYPE varchar"),
    case("rename-column", "orders.mail", "email", plain="ALTER TABLE orders RENAME mail TO email",
         first="ALTER TABLE orders ADD CHECK (mail <> ''), ADD UNIQUE (mail, id)"),
    case("rename-column", "orders.at", '"Made at"', plain='ALTER TABLE orders RENAME at TO "Made at"'),
    case("rename-column", '"Odd names"."select"', "from", plain='ALTER TABLE "Odd names" RENAME "select" TO "from"'),
    case("rename-column", "events.customer_id", "client", plain="ALTER TABLE events RENAME customer_id TO client",
         first="CREATE INDEX ON events (customer_id)"),
    case("rename-column", "orders.customer_id", "client", plain="ALTER TABLE orders RENAME customer_id TO client",
         first="ALTER TABLE orders ADD FOREIGN KEY (customer_id) REFERENCES customers"),
]  # fmt: skip

# What is not there any more afterwards.
GONE = [
    case("drop-column", "orders.note", plain="ALTER TABLE orders DROP note"),
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


@pytest.mark.parametrize("one", SAME, ids=str)
def test_a_recipe_makes_what_the_plain_statement_makes_and_takes_it_back(
    one: Case, database: Database, second: Database, tmp_path: Path
) -> None:
    made(database, one.first)
    made(second, one.first, one.plain)
    before = catalog(database)
    written = cook(database, tmp_path, one.recipe, *one.words, **one.options)
    assert written.paths and not written.notes
    apply(database, tmp_path)
    assert_same(catalog(database), catalog(second))
    if one.recipe != "validate":
        take_back(database, tmp_path)
        assert_same(catalog(database), before)
        apply(database, tmp_path)
        assert_same(catalog(database), catalog(second))
    again = cook(database, tmp_path, one.recipe, *one.words, **{k: v for k, v in one.options.items() if k != "name"})
    assert not again.paths and "already" in again.notes[0]


@pytest.mark.parametrize("one", GONE, ids=str)
def test_what_is_dropped_comes_back_without_its_rows(
    one: Case, database: Database, second: Database, tmp_path: Path
) -> None:
    made(database, one.first)
    made(second, one.first, one.plain)
    before = catalog(database)
    assert cook(database, tmp_path, one.recipe, *one.words, **one.options).paths
    apply(database, tmp_path)
    assert_same(catalog(database), catalog(second))
    take_back(database, tmp_path)
    assert_same(positions_left_out(catalog(database)), positions_left_out(before))


@pytest.mark.parametrize("one", [*MOVED, *IN_PLACE], ids=str)
def test_an_exchanged_column_is_what_the_plain_statement_makes(
    one: Case, database: Database, second: Database, tmp_path: Path
) -> None:
    made(database, one.first)
    made(second, one.first, one.plain)
    before, rows_before = catalog(database), rows(database, one.table)
    assert cook(database, tmp_path, one.recipe, *one.words, **one.options).paths
    apply(database, tmp_path)
    assert_like(one, catalog(database), catalog(second))
    assert rows(database, one.table) == rows(second, one.table)
    take_back(database, tmp_path)
    assert_like(one, catalog(database), before)
    if "numeric" not in one.plain and "integer" not in one.plain:
        assert one.options or rows(database, one.table) == rows_before
    apply(database, tmp_path)
    assert_like(one, catalog(database), catalog(second))


def assert_like(one: Case, have: Catalog, want: Catalog) -> None:
    """The same, but for the place of a column that was made anew."""
    if one in IN_PLACE:
        assert_same(have, want)
    else:
        assert_same(positions_left_out(have), positions_left_out(want))


def test_a_not_null_column_is_first_let_go(database: Database, tmp_path: Path) -> None:
    made(database)
    assert len(cook(database, tmp_path, "drop-column", "orders.at").paths) == 2  # it has a default
    with database.connect() as connection:
        connection.execute("ALTER TABLE orders ALTER at DROP DEFAULT")
    cook(database, tmp_path, "drop-column", "orders.at")
    first = sorted(tmp_path.glob("*lack-it.sql"))
    assert len(first) == 1 and "DROP NOT NULL" in first[0].read_text()


@pytest.mark.parametrize("one", [*SAME, *GONE, *MOVED, *IN_PLACE], ids=str)
def test_each_file_can_be_taken_back_and_applied_again_by_itself(one: Case, database: Database, tmp_path: Path) -> None:
    made(database, one.first)
    cook(database, tmp_path, one.recipe, *one.words, **one.options)
    files = read_migrations(tmp_path)
    for m in files:
        before = catalog(database)
        apply(database, tmp_path, to=m.id)
        after = catalog(database)
        operations.rollback(database, files)
        if one not in GONE and not (Path(m.rollback_path or "").read_text().count("nothing-to-undo")):
            assert_like(one, catalog(database), before)
        apply(database, tmp_path, to=m.id)
        assert_like(one, catalog(database), after)

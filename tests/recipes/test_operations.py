"""Each recipe's files make what the plain statement would have made, and their rollbacks take it back."""

from __future__ import annotations

from pathlib import Path

import pytest
from psycopg import sql

from tests.recipes.cases import GONE, IN_PLACE, MOVED, SAME, Case
from tests.recipes.shop import apply, assert_same, catalog, cook, made, positions_left_out, rows, take_back
from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.spread_over_servers


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


def test_a_text_that_is_too_long_is_told_and_never_cut_off(database: Database, tmp_path: Path) -> None:
    made(database, "UPDATE orders SET mail = repeat('x', 60) WHERE id = 7")
    (note,) = cook(database, tmp_path, "change-type", "orders.mail", "varchar(50)").notes
    assert "value too long for type character varying(50)" in note
    with pytest.raises(MigrationFailed):
        apply(database, tmp_path)
    with database.connect() as connection:
        assert connection.execute("SELECT length(mail) FROM orders WHERE id = 7").fetchone() == (60,)


def test_a_twin_means_the_same_whoever_writes_it(database: Database, tmp_path: Path) -> None:
    """A writer has another search_path, in which the type is not, and another time zone."""
    made(database, "CREATE TYPE mood AS ENUM ('eu', 'us'); ALTER TABLE customers ADD at timestamptz DEFAULT now()")
    cook(database, tmp_path, "change-type", "customers.region", "mood", using="region::mood")
    cook(database, tmp_path, "change-type", "customers.at", "text", using="at::text")
    apply(database, tmp_path, to=next(m.id for m in read_migrations(tmp_path) if m.id.endswith("text-a-twin")))
    with database.connect() as connection:
        (schema,) = connection.execute("SELECT current_schema()").fetchone() or ("",)
        wanted = connection.execute("SELECT timestamptz '2026-07-01 12:00:00+00'::text").fetchone()
        connection.execute("SET search_path = pg_catalog; SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'")
        written = "INSERT INTO {}.customers (email, region, at) VALUES ('x', 'us', '2026-07-01 12:00:00+00')"
        connection.execute(sql.SQL(written).format(sql.Identifier(schema)))
    with database.connect() as connection:
        assert connection.execute("SELECT at_1 FROM customers WHERE email = 'x'").fetchone() == wanted


def test_what_a_twin_cannot_take_along_is_refused(database: Database, tmp_path: Path) -> None:
    made(
        database,
        "ALTER TABLE orders ADD span int4range, ADD EXCLUDE USING gist (span WITH &&), ALTER mail SET DEFAULT 'x'",
        "CREATE TYPE mood AS ENUM ('x'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0)",
    )
    for words, options in (
        (("change-type", "orders.span", "int8range"), {"using": "int8range(lower(span), upper(span))"}),
        (("drop-column", "orders.span"), {}),
        (("change-type", "orders.mail", "mood"), {"using": "mail::text::mood"}),
        (("change-type", "orders.amount", "positive"), {"using": "amount::integer"}),
        (("change-type", "orders.id", "uuid"), {"using": "gen_random_uuid()"}),
        (("change-type", "orders.customer_id", "uuid"), {"using": "gen_random_uuid()"}),
    ):
        with pytest.raises(Refused) as error:
            cook(database, tmp_path, *words, **options)
        assert error.value.hint
    assert not list(tmp_path.iterdir())


def test_a_pending_file_that_changes_the_table_is_told(database: Database, tmp_path: Path) -> None:
    made(database)
    assert not cook(database, tmp_path, "not-null", "orders.customer_id").notes
    (first, *_) = read_migrations(tmp_path)
    (note,) = cook(database, tmp_path, "change-type", "orders.customer_id", "text").notes
    assert note.startswith(f"{first.id} is pending and has to do with orders")
    assert not cook(database, tmp_path, "not-null", "customers.region").notes


def test_a_key_that_is_there_with_another_action_is_not_taken_for_the_same(database: Database, tmp_path: Path) -> None:
    made(database, "CREATE SCHEMA other; CREATE TABLE other.orders (number bigint PRIMARY KEY)")
    folder = tmp_path / "migrations"
    words = ("foreign-key", "orders.customer_id", "customers.id")
    cook(database, folder, *words)
    assert cook(database, tmp_path / "apart", "foreign-key", "orders.id", "other.orders.number").paths
    apply(database, folder)
    assert "already" in cook(database, folder, *words).notes[0]
    with pytest.raises(Refused):
        cook(database, folder, *words, on_delete="cascade")
    assert cook(database, folder, *words, on_delete="cascade", name="second").paths

"""Each recipe's files make what the plain statement would have made, and their rollbacks take it back."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.recipes.cases import GONE, IN_PLACE, MOVED, SAME, Case
from tests.recipes.shop import apply, assert_same, catalog, cook, made, positions_left_out, rows, take_back
from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.files.folder import read_migrations


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

"""``new --recipe``: what is typed, what is written, and how a wrong wish is answered."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from tests.recipes.cases import KEYS
from tests.recipes.shop import made
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.recipes.operations import RECIPES

pytestmark = pytest.mark.one_server

MANUAL = Path(__file__).parent.parent.parent / "docs" / "recipes.md"


@pytest.mark.parametrize("recipe", RECIPES.values(), ids=lambda r: r.name)
def test_each_recipe_is_in_the_manual_and_in_help(recipe: object, tmp_path: Path) -> None:
    chosen = next(r for r in RECIPES.values() if r is recipe)
    words = chosen.grammar.replace("'", '"').split(" [")[0]
    text = MANUAL.read_text()
    assert f"| `{chosen.name} {words}`" in text
    for option in chosen.options - {"name", "batch"}:
        assert f"`--{option.replace('_', '-')}" in text
    ran = run("new", "--recipe", "help", cwd=tmp_path)
    assert f"{chosen.name} {chosen.grammar}\n    {chosen.meaning}" in ran.out


def test_it_needs_a_database_and_says_so(tmp_path: Path) -> None:
    ran = run("new", "--recipe", "not-null", "orders.note", cwd=tmp_path)
    assert ran.code == 2 and "a recipe is written for the table as it is" in ran.err and "DATABASE_URL" in ran.err
    assert not list(tmp_path.rglob("*.sql"))


WRONG = [
    (["not-nul", "orders.note"], "did you mean --recipe not-null?"),
    (["not-null", "order.note"], "did you mean orders?"),
    (["not-null", "orders.nota"], "did you mean note?"),
    (["not-null", "orders"], "write TABLE.COLUMN"),
    (["not-null", "orders.(id, note)"], "this takes one"),
    (["not-null", "some.orders.note"], "did you mean public.orders?"),
    (["not-null", "notes.note"], "notes is a view"),
    (["not-null"], "TABLE.COLUMN"),
    (["not-null", "orders.note", "--where", "true"], "takes no --where"),
    (["index", "orders", "nota"], 'column "nota" does not exist'),
    (["index", "orders", "note); DROP TABLE orders; --"], "PostgreSQL does not take it"),
    (["index", "orders", "note", "--using", "hsah"], 'access method "hsah" does not exist'),
    (["check", "orders", "amount >"], "syntax error"),
    (["check", "orders", "id = 1", "--name", "orders_pkey"], "take --name orders_pkey1"),
    (["foreign-key", "orders.note", "customers.id"], "PostgreSQL does not take it"),
    (["foreign-key", "orders.customer_id", "customers.region"], "--recipe unique customers"),
    (["change-type", "orders.note", "intt"], 'type "intt" does not exist'),
    (["change-type", "orders.note", "date"], "cannot be cast automatically"),
    (["change-type", "orders.id", "text", "--default", "1"], "takes no --default"),
    (["rename-column", "orders.note", "mail"], "has a column mail already"),
    (["rename-column", "orders.note", "text"], "view notes"),
    (["drop-column", "orders.note"], "view notes"),
    (["drop-column", "orders.id"], "lines_order_id_fkey of lines"),
    (["drop-column", "lines.id"], "the primary key"),
    (["add-column", "orders.a", "text", "--not-null"], "give --default"),
    (["backfill", "orders", "note = 'a' WHERE id = 1"], "give the condition as --where"),
    (["backfill", "orders", "note"], "COLUMN = EXPRESSION"),
    (["backfill", "orders", "nota = 1"], "did you mean note?"),
    (["backfill", "orders", "note = 1 / 'a'", "--where", "true"], "PostgreSQL does not take it"),
    (["partition", "orders", "at"], "RANGE (COLUMN)"),
    (["partition", "orders", "RANGE (att)"], "did you mean at?"),
    (["partition", "orders", "HASH (id)"], "moved to the partition of its hash"),
    (["drop-table", "customers"], "view notes"),
    (["drop-table", "events_2025"], "DETACH PARTITION"),
    (["validate", "orders", "nix"], "has no constraint nix"),
]


@pytest.mark.parametrize(("words", "said"), WRONG, ids=lambda w: " ".join(w) if isinstance(w, list) else "")
def test_a_wrong_wish_is_one_clear_error_and_writes_nothing(
    words: list[str], said: str, database: Database, tmp_path: Path
) -> None:
    made(database, KEYS, "CREATE VIEW notes AS SELECT note, region FROM orders, customers")
    ran = run("new", "--recipe", *words, cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert ran.code in (2, 3) and ran.out == ""
    assert said in ran.err and ran.err.count("error:") == 1 and "Traceback" not in ran.err
    assert not list(tmp_path.rglob("*.sql"))


def test_what_is_there_already_is_said_and_nothing_written(database: Database, tmp_path: Path) -> None:
    made(database)
    ran = run("new", "--recipe", "not-null", "orders.at", cwd=tmp_path, env={"DATABASE_URL": database.url})
    assert (ran.code, ran.out.strip()) == (0, "") and "orders.at is NOT NULL already" in ran.err
    ran = run(
        "new", "--recipe", "not-null", "orders.at", "--format", "json", cwd=tmp_path, env={"DATABASE_URL": database.url}
    )
    found = json.loads(ran.out)
    assert found["paths"] == [] and found["notes"] == ["orders.at is NOT NULL already"]


def test_rows_that_stand_in_the_way_are_counted_and_shown(database: Database, tmp_path: Path) -> None:
    made(
        database, "UPDATE orders SET customer_id = NULL WHERE id <= 3; UPDATE orders SET customer_id = 99 WHERE id = 5"
    )
    env = {"DATABASE_URL": database.url}
    ran = run("new", "--recipe", "not-null", "orders.customer_id", cwd=tmp_path, env=env)
    assert "3 rows have no customer_id" in ran.err and "SELECT * FROM orders WHERE customer_id IS NULL;" in ran.err
    ran = run("new", "--recipe", "foreign-key", "orders.customer_id", "customers.id", cwd=tmp_path, env=env)
    assert ran.code == 0 and "1 row has no row in customers" in ran.err
    ran = run("new", "--recipe", "unique", "orders", "customer_id", cwd=tmp_path, env=env)
    assert "rows have a twin" in ran.err
    ran = run("new", "--recipe", "check", "orders", "amount > 10", cwd=tmp_path, env=env)
    assert "10 rows have what the check forbids" in ran.err


def test_names_in_another_schema_are_written_with_it(database: Database, tmp_path: Path) -> None:
    made(
        database,
        'CREATE SCHEMA "The app"; CREATE TABLE "The app"."Users" (id int PRIMARY KEY, "Name" text)',
        'CREATE TABLE "The app".orders (id int)',
    )
    env = {"DATABASE_URL": database.url}
    assert run("new", "--recipe", "index", '"The app".Users', "name", cwd=tmp_path, env=env).code == 2
    assert run("new", "--recipe", "index", '"The app".Users', '"Name"', cwd=tmp_path, env=env).code == 0
    (file,) = (m for m in read_migrations(tmp_path / "migrations"))
    assert 'CREATE INDEX CONCURRENTLY "Users_Name_idx" ON "The app"."Users" ("Name");' in Path(file.path).read_text()
    assert 'DROP INDEX CONCURRENTLY "The app"."Users_Name_idx";' in Path(file.rollback_path or "").read_text()
    ran = run("new", "--recipe", "index", "orders", "id", "--schema", "The app", cwd=tmp_path, env=env)
    assert ran.code == 0
    last = read_migrations(tmp_path / "migrations").items[-1]
    assert "ON orders (id);" in Path(last.path).read_text()
    assert run("migrate", "--schema", "The app", "--allow", "not-empty", cwd=tmp_path, env=env).code == 0


def test_a_name_is_free_and_no_longer_than_63_bytes(database: Database, tmp_path: Path) -> None:
    long = "ä" * 31
    taken = "CREATE SEQUENCE orders_note_idx; CREATE INDEX orders_note_idx1 ON orders (id)"
    made(database, f'CREATE TABLE "{long}" ("{long}" int); {taken}')
    env = {"DATABASE_URL": database.url}
    assert run("new", "--recipe", "index", "orders", "note", cwd=tmp_path, env=env).code == 0
    assert run("new", "--recipe", "not-null", f"{long}.{long}", cwd=tmp_path, env=env).code == 0
    assert run("new", "--recipe", "rename-column", f"{long}.{long}", "a" * 63, cwd=tmp_path, env=env).code == 0
    files = read_migrations(tmp_path / "migrations")
    assert "INDEX CONCURRENTLY orders_note_idx2 ON orders (note);" in Path(files.items[0].path).read_text()
    ran = run("migrate", "--allow", "not-empty", cwd=tmp_path, env=env)
    assert ran.code == 0, ran.err
    assert run("rollback", "-n", str(len(files.items)), cwd=tmp_path, env=env).code == 0


def test_options_of_recipes_are_for_recipes(tmp_path: Path) -> None:
    ran = run("new", "a column", "--where", "true", cwd=tmp_path)
    assert ran.code == 2 and "--where is for a recipe" in ran.err
    ran = run("new", "--recipe", "index", "--merge", cwd=tmp_path)
    assert ran.code == 2 and "leave out --merge" in ran.err
    ran = run("new", "add", "a", "column", cwd=tmp_path)
    assert ran.code == 2 and "wflo-schema new 'add a column'" in ran.err

"""The ledger in a schema of its own: found, made, left out of comparisons, and never begun anew beside another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.test_commands import count, run, write
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.spread_over_servers

HAS_LEDGER = "SELECT string_agg(relnamespace::regnamespace::text, ',') FROM pg_class WHERE relname = '_yoyo_migration'"
IN_SHOP = "SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('shop') AND relkind = 'r'"


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> Path:
    (tmp_path / "migrations").mkdir()
    (tmp_path / ".git").mkdir()
    write(
        tmp_path,
        **{
            "1_a": "CREATE TABLE a (id int PRIMARY KEY);",
            "1_a_rollback": "DROP TABLE a;",
            "2_b": "-- transactional: false\nCREATE INDEX CONCURRENTLY a_id ON a (id);",
            "2_b_rollback": "-- transactional: false\nDROP INDEX CONCURRENTLY a_id;",
            "3_c": "CREATE VIEW c AS SELECT id FROM a;",
            "3_c_rollback": "DROP VIEW c;",
        },
    )
    settings(tmp_path, database, schema="shop")
    return tmp_path


def settings(folder: Path, database: Database, *, schema: str | None, ledger: str | None = "meta") -> None:
    named = {"database-url": database.url, "schema": schema, "ledger-schema": ledger}
    text = "".join(f'{key} = "{value}"\n' for key, value in named.items() if value is not None)
    (folder / "wflo-schema.toml").write_text(text)


def execute(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


@pytest.mark.parametrize("schema", ["shop", None], ids=["schema", "path"])
def test_every_command_finds_the_ledger_apart_and_no_comparison_sees_it(
    shop: Path, database: Database, schema: str | None
) -> None:
    settings(shop, database, schema=schema)
    ran = run("migrate", cwd=shop)
    assert ran.code == 3 and "there is no schema meta in" in ran.err
    assert "wflo-schema migrate --ledger-schema meta --create-schema" in ran.err
    assert "or before adopt and baseline: CREATE SCHEMA meta;" in ran.err
    assert run("migrate", "--create-schema", cwd=shop).code == 0
    assert count(database, HAS_LEDGER) == "meta"
    execute(database, 'CREATE ROLE "reader of meta"; GRANT USAGE ON SCHEMA meta TO "reader of meta"')
    try:
        for words in (
            ("check", "--only", "ledger,drift"),
            ("check", "--only", "drift", "--privileges"),
            ("wait", "--applied"),
            ("contract", "freeze", "--output", "migrations/contract.toml"),
            ("check", "--drift"),
        ):
            ran = run(*words, cwd=shop)
            assert ran.code == 0, (words, ran.out, ran.err)
        assert "meta" not in (shop / "migrations/contract.toml").read_text()
        dumped = run("dump", cwd=shop)
        assert dumped.code == 0 and "meta" not in dumped.out, dumped.out
        ran = run("status", cwd=shop)
        assert "ledger in schema meta" in ran.out and "3 applied" in ran.out
        assert run("rollback", "--to", "1_a", cwd=shop).code == 0
        assert run("plan", cwd=shop).code == 0
        assert run("baseline", "--to", "3_c", "--unverified", cwd=shop).code == 0
        assert "3 applied" in run("status", cwd=shop).out
        assert count(database, HAS_LEDGER) == "meta"
        assert count(database, IN_SHOP) == (1 if schema else 0)
    finally:
        execute(database, 'DROP OWNED BY "reader of meta"; DROP ROLE "reader of meta"')


def test_the_tables_schema_is_made_although_the_ledger_is_there(shop: Path, database: Database) -> None:
    execute(database, "CREATE SCHEMA meta")
    settings(shop, database, schema=None)
    write(shop, **{"1_a": "CREATE TABLE public.a (id int PRIMARY KEY);"})
    assert run("migrate", "--to", "1_a", cwd=shop).code == 0
    settings(shop, database, schema="shop")
    write(shop, **{"2_b": "CREATE TABLE b ();", "3_c": "CREATE TABLE c ();"})
    ran = run("migrate", cwd=shop)
    assert ran.code == 3 and "there is no schema shop" in ran.err
    ran = run("migrate", "--create-schema", cwd=shop)
    assert ran.code == 0, ran.err
    assert count(database, IN_SHOP) == 2


@pytest.mark.parametrize("schema", ["shop", None], ids=["schema", "path"])
def test_a_ledger_beside_the_tables_is_not_begun_anew_apart_and_is_moved_as_said(
    shop: Path, database: Database, schema: str | None
) -> None:
    settings(shop, database, schema=schema, ledger=None)
    assert run("migrate", "--create-schema", cwd=shop).code == 0
    was = schema or "public"
    settings(shop, database, schema=schema)
    ran = run("migrate", "--create-schema", cwd=shop)
    assert ran.code == 3 and f"the ledger of schema {was} records these migrations" in ran.err, ran.err
    assert count(database, HAS_LEDGER) == was
    hint = " ".join(line.strip() for line in ran.err.split("or move the ledger: ")[1].splitlines())
    execute(database, hint)
    ran = run("migrate", cwd=shop)
    assert ran.code == 0 and "nothing to do" in ran.out, ran.err
    assert count(database, HAS_LEDGER) == "meta"


@pytest.mark.parametrize("schema", ["shop", None], ids=["schema", "path"])
def test_who_forgets_that_the_ledger_is_apart_is_told_where_it_is(
    shop: Path, database: Database, schema: str | None
) -> None:
    settings(shop, database, schema=schema)
    assert run("migrate", "--create-schema", cwd=shop).code == 0
    if schema:  # and who names another one
        ran = run("migrate", "--ledger-schema", "other", "--create-schema", cwd=shop)
        assert ran.code == 3 and "--ledger-schema meta" in ran.err, ran.err
    settings(shop, database, schema=schema, ledger=None)
    ran = run("migrate", cwd=shop)
    assert ran.code == 3 and "--ledger-schema meta" in ran.err, ran.err
    assert count(database, HAS_LEDGER) == "meta"


def test_a_test_database_and_a_squash_keep_it_apart(shop: Path, database: Database) -> None:
    test = database.with_name(f"{database.name}_test")
    try:
        assert run("migrate", "--create-schema", cwd=shop).code == 0
        ran = run("test-db", cwd=shop)
        assert ran.code == 0, ran.err
        assert count(test, HAS_LEDGER) == "meta" and count(test, IN_SHOP) == 1
        write(shop, **{"4_d": "CREATE TABLE d ();", "4_d_rollback": "DROP TABLE d;"})
        ran = run("test-db", "--keep", cwd=shop)
        assert ran.code == 0, ran.err
        assert count(test, IN_SHOP) == 2
        (shop / "migrations" / "2_b.sql").write_text("CREATE INDEX a_id ON a (id);")
        (shop / "migrations" / "2_b.rollback.sql").write_text("DROP INDEX a_id;")
        execute(database, "DROP SCHEMA shop CASCADE; DROP SCHEMA meta CASCADE")
        assert run("migrate", "--create-schema", cwd=shop).code == 0
        ran = run("squash", "--to", "3_c", cwd=shop)
        assert ran.code == 0, ran.err
        (squashed,) = (f for f in (shop / "migrations").glob("*.sql") if "replaces" in f.read_text())
        assert "meta" not in squashed.read_text()
    finally:
        with database.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{test.name}" WITH (FORCE)'.encode())


def test_adopt_records_it_apart(shop: Path, database: Database) -> None:
    execute(
        database,
        "CREATE SCHEMA shop; CREATE SCHEMA meta; CREATE TABLE shop.a (id int PRIMARY KEY);"
        "CREATE INDEX a_id ON shop.a (id); CREATE VIEW shop.c AS SELECT id FROM shop.a",
    )
    ran = run("adopt", cwd=shop)
    assert ran.code == 0 and "equal: " in ran.out, ran.out + ran.err
    ran = run("adopt", "--apply", cwd=shop)
    assert ran.code == 0, ran.out + ran.err
    assert count(database, HAS_LEDGER) == "meta"
    assert "3 applied" in run("status", cwd=shop).out


def test_a_name_that_no_schema_can_have_is_refused(shop: Path) -> None:
    for wrong in ("", "$user"):
        assert run("status", "--ledger-schema", wrong, cwd=shop).code == 2

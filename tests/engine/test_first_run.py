"""A first run must be meant: on a database that holds something already it is refused, with what is there."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest
from psycopg import sql

from tests.conftest import RunningServer
from tests.forks import forks
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Event, Notice
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations

pytestmark = [pytest.mark.every_version, pytest.mark.spread_over_servers]


def do(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def one(database: Database, query: str) -> object:
    with database.connect() as connection:
        row = connection.execute(query.encode()).fetchone()
    return row[0] if row else None


@pytest.fixture
def files(tmp_path: Path) -> Migrations:
    for name, text in {"1_a": "CREATE TABLE a (id int)", "2_b": "CREATE TABLE b (id int)"}.items():
        (tmp_path / f"{name}.sql").write_text(text)
        (tmp_path / f"{name}.rollback.sql").write_text(f"DROP TABLE {name[2:]}")
    return read_migrations(tmp_path)


FOREIGN = (
    "CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE f (id int) SERVER s"
)
THERE = {
    "CREATE TABLE users (id int)": "1 table (users)",
    "CREATE TABLE p (id int) PARTITION BY RANGE (id); CREATE TABLE q PARTITION OF p DEFAULT": "1 table (p)",
    "CREATE UNLOGGED TABLE users (id int)": "1 table (users)",
    FOREIGN: "1 foreign table (f)",
    "CREATE VIEW v AS SELECT 1 AS x": "1 view (v)",
    "CREATE MATERIALIZED VIEW m AS SELECT 1 AS x": "1 materialized view (m)",
    "CREATE SEQUENCE s": "1 sequence (s)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'": "1 function (f)",
    "CREATE PROCEDURE f() LANGUAGE sql AS 'SELECT 1'": "1 function (f)",
    "CREATE AGGREGATE ag(int) (sfunc = int4pl, stype = int)": "1 function (ag)",
    "CREATE TYPE e AS ENUM ('x')": "1 type (e)",
    "CREATE DOMAIN d AS int": "1 type (d)",
    "CREATE TYPE c AS (x int)": "1 type (c)",
    "CREATE TABLE t1 (); CREATE TABLE t2 (); CREATE TABLE t3 (); CREATE TABLE t4 ()": "4 tables (t1, t2, t3 …)",
    "CREATE TABLE t (id serial PRIMARY KEY)": "1 table (t)",
}


@pytest.mark.parametrize("statements", THERE)
def test_a_first_run_names_what_is_there(database: Database, files: Migrations, statements: str) -> None:
    do(database, *statements.split("; "))
    with pytest.raises(Refused) as caught:
        operations.migrate(database, files)
    assert caught.value.case == Allow.NOT_EMPTY
    assert caught.value.message.endswith(f"is not empty: schema public holds {THERE[statements]}")
    assert "wflo-schema adopt" in caught.value.hint and "--allow not-empty" in caught.value.hint
    assert [case for case, _, _ in operations.plan(database, files).refusals] == [Allow.NOT_EMPTY]
    assert one(database, "SELECT to_regclass('_yoyo_migration')") is None
    assert operations.migrate(database, files, allow=[Allow.NOT_EMPTY]).ids == ("1_a", "2_b")
    assert operations.plan(database, files).refusals == ()


LEDGERS = {
    "alembic": ("public.alembic_version", "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)"),
    "golang-migrate": (
        "public.schema_migrations",
        "CREATE TABLE schema_migrations (version bigint PRIMARY KEY, dirty boolean NOT NULL)",
    ),
    "dbmate": ("public.schema_migrations", "CREATE TABLE schema_migrations (version varchar PRIMARY KEY)"),
    "goose": (
        "other.goose_db_version",
        "CREATE SCHEMA other; CREATE TABLE other.goose_db_version (id int, version_id bigint, is_applied boolean)",
    ),
}


@pytest.mark.parametrize("tool", LEDGERS)
def test_a_first_run_beside_another_tools_ledger_names_the_tool(
    database: Database, files: Migrations, tool: str
) -> None:
    table, statements = LEDGERS[tool]
    do(database, *statements.split("; "))
    with pytest.raises(Refused, match=f"is not empty: {tool} records migrations in {table}"):
        operations.migrate(database, files)


@pytest.mark.parametrize(
    "statements",
    [
        "COMMENT ON SCHEMA public IS 'ours'; GRANT ALL ON SCHEMA public TO PUBLIC",
        "CREATE EXTENSION IF NOT EXISTS plpgsql",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC",
        "CREATE SCHEMA other",
    ],
)
def test_a_fresh_database_is_migrated_without_a_word(database: Database, files: Migrations, statements: str) -> None:
    do(database, *statements.split("; "))
    events: list[Event] = []
    assert operations.migrate(database, files, notify=events.append).ids == ("1_a", "2_b")
    assert not [e for e in events if isinstance(e, Notice)]


def test_what_belongs_to_an_extension_does_not_count(
    server: RunningServer, database: Database, files: Migrations
) -> None:
    with database.connect() as connection:
        query = "SELECT name FROM pg_available_extensions WHERE name IN ('citext', 'hstore', 'pg_stat_statements')"
        there = [name for (name,) in connection.execute(query)]
    if not there:
        pytest.skip(f"PostgreSQL {server.version} has no extension with types and functions here")
    do(database, f"CREATE EXTENSION {there[0]} SCHEMA public")
    assert operations.migrate(database, files).ids == ("1_a", "2_b")


def test_what_a_provider_puts_there_does_not_count(database: Database, files: Migrations) -> None:
    role = f"rds_{database.name}"
    do(database, f"CREATE ROLE {role}", "CREATE VIEW v AS SELECT 1 AS x", f"ALTER VIEW v OWNER TO {role}")
    try:
        assert operations.migrate(database, files).ids == ("1_a", "2_b")
    finally:
        do(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_another_schema_counts_only_where_none_is_named_and_then_as_a_warning(
    database: Database, files: Migrations
) -> None:
    do(database, "CREATE SCHEMA app", "CREATE TABLE app.users ()", "CREATE SCHEMA ours")
    events: list[Event] = []
    operations.migrate(database, files, notify=events.append)
    (notice,) = (e for e in events if isinstance(e, Notice))
    assert "schema app holds 1 table (users)" in notice.message and "--schema" in notice.message
    assert operations.migrate(database.with_schema("ours"), files, notify=events.append).ids == ("1_a", "2_b")
    assert len([e for e in events if isinstance(e, Notice)]) == 1
    with pytest.raises(Refused, match="schema app holds 1 table"):
        operations.migrate(database.with_schema("app"), files)


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("CREATE MATERIALIZED VIEW app.m AS SELECT 1 AS x", "1 materialized view (m)"),
        ("CREATE FUNCTION app.f() RETURNS int LANGUAGE sql AS 'SELECT 1'", "1 function (f)"),
        ("CREATE TYPE app.e AS ENUM ('x')", "1 type (e)"),
        ("CREATE SEQUENCE app.s", "1 sequence (s)"),
        ("CREATE VIEW app.v AS SELECT 1 AS x", "1 view (v)"),
    ],
)
@pytest.mark.one_server
def test_another_schema_without_a_table_is_a_warning_too(
    database: Database, files: Migrations, statement: str, said: str
) -> None:
    do(database, "CREATE SCHEMA app", statement)
    events: list[Event] = []
    assert operations.migrate(database, files, notify=events.append).ids == ("1_a", "2_b")
    (notice,) = (e for e in events if isinstance(e, Notice))
    assert f"schema app holds {said}" in notice.message


IN_A_TEMPLATE = (
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE e AS ENUM ('x')",
    "CREATE VIEW v AS SELECT 1 AS x",
    "CREATE SEQUENCE s",
    "CREATE SCHEMA site",
    "CREATE FUNCTION site.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
)


@pytest.mark.parametrize(
    ("statement", "said"),
    [("", ""), ("CREATE TABLE users ()", "1 table (users)"), ("CREATE MATERIALIZED VIEW m AS SELECT 1", "1 mat")],
)
@pytest.mark.one_server
def test_what_a_new_database_has_from_its_template_does_not_count_unless_it_may_hold_rows(
    database: Database, files: Migrations, statement: str, said: str
) -> None:
    do(database, *IN_A_TEMPLATE, *filter(None, [statement]))
    made = database.with_name(f"{database.name}_new")
    administration = database.with_name("postgres")
    do(administration, f"CREATE DATABASE {made.name} TEMPLATE {database.name}")
    events: list[Event] = []
    try:
        if said:
            with pytest.raises(Refused, match=f"schema public holds {said.partition(' (')[0]}"):
                operations.migrate(made, files)
            return
        assert operations.plan(made, files).refusals == ()
        do(made, "CREATE TYPE mine AS ENUM ('x')")
        with pytest.raises(Refused, match=r"schema public holds 1 type \(mine\)$"):
            operations.migrate(made, files)
        do(made, "DROP TYPE mine")
        assert operations.migrate(made, files, notify=events.append).ids == ("1_a", "2_b")
        assert not [e for e in events if isinstance(e, Notice)]
    finally:
        do(administration, f"DROP DATABASE {made.name} (FORCE)")


def test_a_schema_on_the_search_path_counts(database: Database, files: Migrations) -> None:
    do(database, "CREATE SCHEMA app", "CREATE TABLE users ()")
    do(database, f"ALTER DATABASE {database.name} SET search_path = app, public")
    with pytest.raises(Refused, match="schema public holds 1 table"):
        operations.migrate(database, files)


def test_after_everything_was_rolled_back_it_is_no_first_run(database: Database, files: Migrations) -> None:
    operations.migrate(database, files)
    operations.rollback(database, files, count=2)
    do(database, "CREATE TABLE by_hand ()")
    assert operations.migrate(database, files).ids == ("1_a", "2_b")


def test_a_non_transactional_file_that_was_begun_is_no_first_run(database: Database, tmp_path: Path) -> None:
    path = tmp_path / "1_a.sql"
    path.write_text("-- transactional: false\nCREATE TABLE a (id int);\nSELECT 1/0;")
    with pytest.raises(MigrationFailed):
        operations.migrate(database, read_migrations(tmp_path))
    path.write_text("-- transactional: false\nCREATE TABLE a (id int);\nSELECT 1;")
    assert operations.migrate(database, read_migrations(tmp_path)).ids == ("1_a",)


def test_a_first_file_that_failed_is_tried_again(database: Database, tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a (id int); SELECT 1/0")
    with pytest.raises(MigrationFailed):
        operations.migrate(database, read_migrations(tmp_path))
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a (id int)")
    assert operations.migrate(database, read_migrations(tmp_path)).ids == ("1_a",)


def test_an_empty_ledger_beside_tables_is_a_first_run(database: Database, files: Migrations) -> None:
    operations.migrate(database, files)
    do(database, "TRUNCATE _yoyo_migration, _yoyo_log")
    with pytest.raises(Refused, match=r"schema public holds 2 tables \(a, b\)"):
        operations.migrate(database, files)


@pytest.mark.parametrize("statement", ["DELETE FROM _yoyo_migration", "DROP TABLE _yoyo_migration CASCADE"])
def test_records_that_were_lost_while_the_log_has_them_make_it_a_first_run(
    database: Database, files: Migrations, statement: str
) -> None:
    operations.migrate(database, files, to="1_a")
    operations.rollback(database, files)
    operations.migrate(database, files)
    do(database, statement)
    with pytest.raises(Refused, match=r"schema public holds 2 tables \(a, b\)"):
        operations.migrate(database, files)
    assert "schema public holds 2 tables" in operations.status(database, files).not_empty


def test_it_costs_no_round_trip_where_something_is_recorded(database: Database, files: Migrations) -> None:
    operations.migrate(database, files, to="1_a")
    before = operations.migrate(database, files, to="1_a").round_trips
    do(database, "CREATE TABLE more ()")
    assert operations.migrate(database, files, to="1_a").round_trips == before == 2


def _race(database: Database, folder: str, errors: object) -> None:
    try:
        operations.migrate(database, read_migrations(folder))
    except WfloSchemaError as error:
        errors.put(error.message)  # type: ignore[attr-defined]


@pytest.mark.parametrize("path", ["public", "app, public"])
def test_sixteen_first_runs_at_once_never_take_each_other_for_strangers(
    database: Database, tmp_path: Path, path: str
) -> None:
    for number in range(1, 9):
        (tmp_path / f"{number}_t.sql").write_text(f"CREATE TABLE t{number} (id int); CREATE VIEW v{number} AS SELECT 1")
    do(database, "CREATE SCHEMA app", f"ALTER DATABASE {database.name} SET search_path = {path}")
    errors = forks.Queue()
    runs = [forks.Process(target=_race, args=(database, str(tmp_path), errors)) for _ in range(16)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert errors.empty(), errors.get()
    assert one(database, "SELECT count(*) FROM _yoyo_migration") == 8


# schemas


@contextlib.contextmanager
def schemas(database: Database, *names: str) -> Iterator[None]:
    with database.connect() as connection:
        for name in names:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
    yield


@pytest.mark.parametrize(
    ("wish", "meant"), [("billnig", "billing"), ("Billing", "billing"), ("publik", "public"), ("nothing_like_it", "")]
)
def test_a_schema_that_is_not_there_is_said_with_the_nearest(
    database: Database, files: Migrations, wish: str, meant: str
) -> None:
    typo = database.with_schema(wish)
    with schemas(database, "billing"):
        for act in (
            lambda: operations.migrate(typo, files),
            lambda: operations.plan(typo, files),
            lambda: operations.status(typo, files),
            lambda: operations.rollback(typo, files),
            lambda: operations.baseline(typo, files, ["1_a"]),
        ):
            with pytest.raises(Refused, match=f"there is no schema {wish} in ") as caught:
                act()
            said = f"did you mean --schema {meant}?" if meant else "its schemas are billing, public"
            assert said in caught.value.hint and "--create-schema" in caught.value.hint
    assert one(database, f"SELECT count(*) FROM pg_namespace WHERE nspname = '{wish}'") == 0
    assert operations.plan(typo, files, create_schema=True).refusals == ()
    assert operations.migrate(typo, files, create_schema=True).schema == wish

"""Another tool's database is recognised by its catalog, its ledger told apart, and nothing done without proof."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from click.testing import CliRunner
from psycopg import sql

import wflo_schema
from tests.cli.test_commands import run as wflo_schema_cli
from tests.conftest import RunningServer, start_server, stop_server
from tests.engine.test_faults import needs_pgbouncer, pgbouncer
from tests.wflo_states import MIGRATIONS as WFLO
from tests.wflo_states import STATES, build
from wflo_schema.adopt.found import Adoption, Verdict
from wflo_schema.adopt.judge import adopt_database, baseline
from wflo_schema.adopt.ledgers import other_ledgers
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING
from wflo_schema.catalog.other_ledgers import OTHER_TOOLS
from wflo_schema.catalog.read import read_catalog
from wflo_schema.check.verdict import check_drift
from wflo_schema.cli.commands import cli
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.events import Result
from wflo_schema.engine.planning import Allow
from wflo_schema.engine.taken_over import FoundLedgers
from wflo_schema.errors import CannotRead, DatabaseError, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.directives import UNWRITTEN
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.files.versions import read_names
from wflo_schema.imports.operations import import_folder
from wflo_schema.scratch.replay import _SESSIONS, ScratchOptions, replayed

DATA = Path(__file__).parents[1] / "data"

ONE = "CREATE TABLE t (id integer PRIMARY KEY, name text NOT NULL)"
TWO = "CREATE INDEX t_name ON t (name)"
THREE = "CREATE TABLE u (id integer PRIMARY KEY, t_id integer REFERENCES t (id))"

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three migrations, t, its index and u, in a folder of this test's own."""
    path = tmp_path / "migrations"
    path.mkdir()
    for name, statement in (("01_t", ONE), ("02_index", TWO), ("03_u", THREE)):
        (path / f"{name}.sql").write_text(f"{statement};\n")
        (path / f"{name}.rollback.sql").write_text("DROP TABLE IF EXISTS u;\n")
    return path


def execute(database: Database, *statements: str) -> None:
    with database.connect() as connection:
        for statement in statements:
            connection.execute(statement.encode())


def look(database: Database, folder: Path, *, apply: bool = False, to: str | None = None) -> Adoption:
    files = read_migrations(folder)
    return adopt_database(database, files, apply=apply, to=to)


def recorded(database: Database, folder: Path) -> list[str]:
    return [e.id for e in operations.status(database, read_migrations(folder)).applied if e.has_checksum]


# other tools for real


def run(*words: str, cwd: Path | None = None, **variables: str) -> None:
    done = subprocess.run(words, cwd=cwd, env={**os.environ, **variables}, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def alembic(database: Database, revision: str) -> None:
    command, config = pytest.importorskip("alembic.command"), pytest.importorskip("alembic.config")
    chosen = config.Config()
    chosen.set_main_option("script_location", str(DATA / "alembic"))
    chosen.set_main_option("sqlalchemy.url", database.url.replace("postgresql://", "postgresql+psycopg://"))
    command.upgrade(chosen, revision)


@pytest.mark.parametrize("state", STATES)
def test_real_alembic_leaves_what_the_states_say(server: RunningServer, database: Database, state: str) -> None:
    for revision in ("ec1673bcefc3", "heads") if state == "both-heads" else (state,):
        alembic(database, revision)
    other = server.database.with_name(f"{database.name}_sql")
    execute(server.database, f"CREATE DATABASE {other.name}")
    build(other, state)
    with database.connect() as connection, other.connect() as theirs:
        assert compare_catalogs(read_catalog(connection), read_catalog(theirs)) == ()
        rows = "SELECT version_num FROM alembic_version ORDER BY 1"
        assert connection.execute(rows).fetchall() == theirs.execute(rows).fetchall()
    execute(server.database, f"DROP DATABASE {other.name}")


def test_a_real_alembic_database_is_adopted_and_alembics_ledger_stays(database: Database) -> None:
    alembic(database, "500165e12345")
    found = adopt_database(database, WFLO, apply=True)
    assert (found.verdict, found.is_applied, len(found.record), found.notes) == (Verdict.EQUAL, True, 3, ())
    assert [(w.tool, w.versions) for w in found.ledgers] == [("alembic", ("500165e12345",))]
    with database.connect() as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() == [("500165e12345",)]


def test_a_real_yoyo_database_gets_its_checksums(database: Database, folder: Path) -> None:
    yoyo = str(Path(sys.executable).parent / "yoyo")
    url = database.url.replace("postgresql://", "postgresql+psycopg://")
    run(yoyo, "apply", "--batch", "--no-config-file", "--database", url, str(folder))
    assert recorded(database, folder) == []
    found = look(database, folder, apply=True)
    assert [(w.tool, w.versions) for w in found.ledgers] == [("yoyo", ("01_t", "02_index", "03_u"))]
    assert (found.is_applied, found.id) == (True, "03_u")
    assert recorded(database, folder) == ["01_t", "02_index", "03_u"]
    assert look(database, folder).verdict is Verdict.OURS


def test_rows_of_a_yoyo_folder_that_is_gone_are_set_aside_and_stay(database: Database, folder: Path) -> None:
    old = folder.parent / "old"
    old.mkdir()
    (old / "0001.create.sql").write_text(ONE)
    yoyo = str(Path(sys.executable).parent / "yoyo")
    url = database.url.replace("postgresql://", "postgresql+psycopg://")
    run(yoyo, "apply", "--batch", "--no-config-file", "--database", url, str(old))
    found = look(database, folder, apply=True)
    assert (found.id, found.record, found.aside, found.is_applied) == ("01_t", ("01_t",), ("0001.create",), True)
    status = operations.status(database, read_migrations(folder))
    assert (status.missing, status.ahead, [e.id for e in status.pending]) == ((), (), ["02_index", "03_u"])
    assert operations.migrate(database, read_migrations(folder)).ids == ("02_index", "03_u")
    with database.connect() as connection:
        rows = connection.execute("SELECT migration_id FROM _yoyo_migration ORDER BY 1").fetchall()
    assert ("0001.create",) in rows


@pytest.fixture(scope="session")
def dbmate(tmp_path_factory: pytest.TempPathFactory) -> str:
    """dbmate's program from the npm registry."""
    if shutil.which("npm") is None:
        pytest.skip("npm is not here")
    path = tmp_path_factory.mktemp("dbmate")
    (path / "package.json").write_text('{"private": true}')
    words = ["npm", "install", "--silent", "--no-audit", "--no-fund", "dbmate@2"]
    try:
        subprocess.run(words, cwd=path, capture_output=True, timeout=60, check=True)
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        pytest.skip("dbmate cannot be installed")
    return str(path / "node_modules" / ".bin" / "dbmate")


def test_a_real_dbmate_database_is_adopted(database: Database, folder: Path, dbmate: str) -> None:
    theirs = folder.parent / "db"
    theirs.mkdir()
    (theirs / "20240101000000_t.sql").write_text(f"-- migrate:up\n{ONE};\n\n-- migrate:down\n")
    (theirs / "20240102000000_i.sql").write_text(f"-- migrate:up\n{TWO};\n\n-- migrate:down\n")
    run(dbmate, "--url", f"{database.url}?sslmode=disable", "-d", str(theirs), "--no-dump-schema", "up")
    found = look(database, folder, apply=True)
    assert [(w.tool, w.versions) for w in found.ledgers] == [("dbmate", ("20240101000000", "20240102000000"))]
    assert (found.id, found.is_applied, found.beside) == ("02_index", True, ())
    assert operations.migrate(database, read_migrations(folder)).ids == ("03_u",)


def test_a_real_dbmate_folder_is_imported_adopted_and_rolled_back_as_dbmate_does(
    database: Database, second: Database, tmp_path: Path, dbmate: str
) -> None:
    theirs, ours = tmp_path / "db", tmp_path / "ours"
    theirs.mkdir()
    for number, up, down, options in (
        (1, ONE, "DROP TABLE t", ""),
        (2, "CREATE INDEX CONCURRENTLY i ON t (id)", "DROP INDEX CONCURRENTLY i", " transaction:false"),
        (3, "SELECT 'only rows'", "", ""),
    ):
        text = f"-- migrate:up{options}\n{up};\n\n-- migrate:down{options}\n{down}\n"
        (theirs / f"2024010{number}_x.sql").write_text(text)
    for where, words in ((database, ("up",)), (second, ("up",)), (second, ("rollback",)), (second, ("rollback",))):
        run(dbmate, "--url", f"{where.url}?sslmode=disable", "-d", str(theirs), "--no-dump-schema", *words)
    found = import_folder(str(theirs), ours, server=database, write=True)
    assert (found.tool, found.exit_code, found.proof and found.proof.rolled_back) == ("dbmate", 0, 3)
    adopted = look(database, ours, apply=True)
    assert (adopted.verdict, adopted.id, adopted.objections) == (Verdict.EQUAL, "20240103_x", ())
    assert operations.migrate(database, read_migrations(ours)).ids == ()
    operations.rollback(database, read_migrations(ours), count=2)
    relations = (
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relname !~ '^(_yoyo_|yoyo_|_wflo_schema_)' ORDER BY 1"
    )
    with database.connect() as one, second.connect() as other:
        assert one.execute(relations).fetchall() == other.execute(relations).fetchall()


def test_a_real_sqitch_database_is_adopted(database: Database, folder: Path) -> None:
    if shutil.which("sqitch") is None or subprocess.run(["perl", "-MDBD::Pg", "-e1"], capture_output=True).returncode:
        pytest.skip("sqitch or its PostgreSQL driver is not here")
    theirs = folder.parent / "sqitch"
    theirs.mkdir()
    who = {"SQITCH_FULLNAME": "N", "SQITCH_EMAIL": "n@example.org", "HOME": str(theirs)}
    (theirs / "sqitch.conf").write_text("[core]\n\tengine = pg\n")
    plan = ["%syntax-version=1.0.0", "%project=p", ""]
    (theirs / "deploy").mkdir()
    for name, statement in (("t", ONE), ("i", TWO), ("u", THREE)):
        plan.append(f"{name} 2024-01-01T00:00:00Z N <n@example.org> # {name}")
        (theirs / "deploy" / f"{name}.sql").write_text(f"BEGIN;\n{statement};\nCOMMIT;\n")
    (theirs / "sqitch.plan").write_text("\n".join(plan) + "\n")
    run("sqitch", "deploy", f"db:pg{database.url.removeprefix('postgresql')}", cwd=theirs, **who)
    found = look(database, folder, apply=True)
    assert [(w.tool, w.table, w.versions) for w in found.ledgers] == [("sqitch", "sqitch.changes", ("t", "i", "u"))]
    assert (found.id, found.is_applied, found.beside) == ("03_u", True, ())
    assert check_drift(database, replayed(database, read_migrations(folder))) == ()


def test_migrations_that_make_another_tools_ledger_too_are_adopted(database: Database, folder: Path) -> None:
    (folder / "01_t.sql").write_text(f"{ONE};\nCREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY);\n")
    execute(database, ONE, TWO, DBMATE)
    found = look(database, folder, apply=True)
    assert (found.id, found.is_applied) == ("02_index", True)
    operations.migrate(database, read_migrations(folder))
    assert check_drift(database, replayed(database, read_migrations(folder))) == ()


# other tools' ledgers in their shape

FLYWAY = """CREATE TABLE flyway_schema_history (
    installed_rank integer NOT NULL PRIMARY KEY, version varchar(50), description varchar(200) NOT NULL,
    type varchar(20) NOT NULL, script varchar(1000) NOT NULL, checksum integer, installed_by varchar(100) NOT NULL,
    installed_on timestamp NOT NULL DEFAULT now(), execution_time integer NOT NULL, success boolean NOT NULL);
CREATE INDEX flyway_schema_history_s_idx ON flyway_schema_history (success);
INSERT INTO flyway_schema_history VALUES
    (1, '1', 't', 'SQL', 'V1__t.sql', 1, 'u', now(), 5, true),
    (2, '2', 'i', 'SQL', 'V2__i.sql', 2, 'u', now(), 5, true)"""
GOLANG = "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL)"
GOOSE = """CREATE TABLE goose_db_version (
    id integer PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY, version_id bigint NOT NULL, is_applied boolean NOT NULL,
    tstamp timestamp NOT NULL DEFAULT now());
INSERT INTO goose_db_version (version_id, is_applied) VALUES
    (0, true), (1, true), (2, true), (3, true), (3, false)"""
RAILS = """CREATE TABLE schema_migrations (version varchar NOT NULL PRIMARY KEY);
CREATE TABLE ar_internal_metadata (key varchar NOT NULL PRIMARY KEY, value varchar, created_at timestamp NOT NULL,
    updated_at timestamp NOT NULL);
INSERT INTO schema_migrations VALUES ('20240101'), ('20240102')"""
DJANGO = """CREATE TABLE django_migrations (id bigint PRIMARY KEY GENERATED BY DEFAULT AS IDENTITY,
    app varchar(255) NOT NULL, name varchar(255) NOT NULL, applied timestamptz NOT NULL);
INSERT INTO django_migrations (app, name, applied) VALUES ('a', '0001_initial', now()), ('a', '0002_i', now())"""
ECTO = """CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, inserted_at timestamp(0));
INSERT INTO schema_migrations VALUES (1, now()), (2, now())"""
DBMATE = """CREATE TABLE schema_migrations (version varchar(128) NOT NULL PRIMARY KEY);
INSERT INTO schema_migrations VALUES ('1'), ('2')"""
MICRATE = GOOSE.replace("goose", "micrate")
RAMBLER = """CREATE TABLE migrations (migration varchar(255) NOT NULL);
INSERT INTO migrations VALUES ('1_t.sql'), ('2_i.sql')"""
MYBATIS = """CREATE TABLE CHANGELOG (ID numeric(20,0) PRIMARY KEY, APPLIED_AT varchar(25) NOT NULL,
    DESCRIPTION varchar(255) NOT NULL);
INSERT INTO CHANGELOG VALUES (20240102, 'then', 'i'), (20240101, 'then', 't')"""

SHAPES = {
    "micrate": (MICRATE, ("1", "2")),
    "rambler": (RAMBLER, ("1_t.sql", "2_i.sql")),
    "mybatis migrations": (MYBATIS, ("20240101", "20240102")),
    "flyway": (FLYWAY, ("1", "2")),
    "golang-migrate": (f"{GOLANG}; INSERT INTO schema_migrations VALUES (2, false)", ("2",)),
    "goose": (GOOSE, ("1", "2")),
    "rails": (RAILS, ("20240101", "20240102")),
    "django": (DJANGO, ("a.0001_initial", "a.0002_i")),
    "ecto": (ECTO, ("1", "2")),
    "dbmate": (DBMATE, ("1", "2")),
}


@pytest.mark.one_server
@pytest.mark.parametrize("tool", SHAPES)
def test_a_ledger_is_recognised_by_its_shape(database: Database, folder: Path, tool: str) -> None:
    ledger, versions = SHAPES[tool]
    execute(database, ledger)
    found = baseline(database, read_migrations(folder), "01_t", verified=False)
    assert [(w.tool, w.versions, w.failed) for w in found.ledgers] == [(tool, versions, ())]


BROKEN = {
    "alembic": (
        "CREATE TABLE alembic_version (version_num varchar(32));INSERT INTO alembic_version VALUES (NULL), ('a')",
        ("a",),
        (),
    ),
    "golang-migrate": (
        (
            "CREATE TABLE schema_migrations (version bigint, dirty boolean);"
            "INSERT INTO schema_migrations VALUES (NULL, NULL), (1, NULL)"
        ),
        (),
        ("1",),
    ),
    "django": (
        (
            "CREATE TABLE django_migrations (id integer, app text, name text, applied date);"
            "INSERT INTO django_migrations VALUES (1, NULL, 'x'), (2, 'x', NULL), (3, 'x', 'y')"
        ),
        ("x.y",),
        (),
    ),
    "sqitch": (
        (
            "CREATE SCHEMA sqitch; CREATE TABLE sqitch.changes (change_id text, change text, script_hash text,"
            "committed_at date); CREATE TABLE sqitch.events (event text, change_id text, change text, committed_at"
            " date); INSERT INTO sqitch.changes VALUES ('1', NULL), ('2', 'x');"
            "INSERT INTO sqitch.events VALUES ('fail', '3', NULL), ('fail', '4', 'y')"
        ),
        ("x",),
        ("y",),
    ),
    "goose": (
        (
            "CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean);"
            "INSERT INTO goose_db_version (version_id, is_applied) VALUES (0, true), (NULL, true), (1, NULL),"
            "(2, true)"
        ),
        ("2",),
        (),
    ),
    "flyway": (
        (
            "CREATE TABLE flyway_schema_history (installed_rank integer, version text, type text, script text,"
            " success boolean); INSERT INTO flyway_schema_history VALUES (1, NULL, NULL, NULL, NULL),"
            "(2, '1', NULL, 'x', NULL), (3, '2', NULL, 'y', true)"
        ),
        ("2",),
        ("1",),
    ),
    "dbmate": (
        "CREATE TABLE schema_migrations (version text); INSERT INTO schema_migrations VALUES (NULL), ('1')",
        ("1",),
        (),
    ),
}


@pytest.mark.one_server
@pytest.mark.parametrize("tool", BROKEN)
def test_rows_of_a_ledger_that_say_nothing_are_passed_over(database: Database, folder: Path, tool: str) -> None:
    ledger, versions, failed = BROKEN[tool]
    execute(database, ONE, TWO, ledger)
    found = look(database, folder)
    assert [(w.tool, w.versions, w.failed) for w in found.ledgers] == [(tool, versions, failed)]
    assert (found.verdict, found.id, bool(found.objections)) == (Verdict.EQUAL, "02_index", bool(failed))


@pytest.mark.one_server
@pytest.mark.parametrize(
    "table",
    [
        "CREATE TABLE goose_db_version (version_id bigint, is_applied boolean)",
        "CREATE TABLE flyway_schema_history (version text, script text, success boolean)",
        "CREATE TABLE django_migrations (app text, name text, applied date)",
        (
            "CREATE TABLE changes (change_id text, change text, script_hash text, committed_at date);"
            "CREATE TABLE events ()"
        ),
    ],
)
def test_a_table_without_what_the_tool_keeps_there_is_no_ledger(database: Database, folder: Path, table: str) -> None:
    execute(database, ONE, table)
    found = look(database, folder)
    assert (found.verdict, found.ledgers) == (Verdict.EQUAL, ())
    assert found.beside


@pytest.mark.parametrize("tool", ["flyway", "golang-migrate", "goose"])
def test_a_database_with_such_a_ledger_is_adopted_and_the_ledger_left_as_it_is(
    database: Database, folder: Path, tool: str
) -> None:
    ledger, versions = SHAPES[tool]
    execute(database, ONE, TWO, ledger)
    table = next(t.table for t in OTHER_TOOLS if t.name == tool)
    with database.connect() as connection:
        before = connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode()).fetchall()
    found = look(database, folder, apply=True)
    assert [(w.tool, w.versions, w.failed) for w in found.ledgers] == [(tool, versions, ())]
    assert (found.id, found.record, found.beside, found.is_applied) == ("02_index", ("01_t", "02_index"), (), True)
    with database.connect() as connection:
        assert connection.execute(f"SELECT * FROM {table} ORDER BY 1".encode()).fetchall() == before


@pytest.mark.one_server
def test_a_database_made_by_hand_has_no_ledger_and_is_adopted_by_its_catalog(database: Database, folder: Path) -> None:
    execute(database, ONE)
    found = look(database, folder, apply=True)
    assert (found.ledgers, found.id, found.is_applied) == ((), "01_t", True)
    assert operations.migrate(database, read_migrations(folder)).ids == ("02_index", "03_u")


# bad input


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("ledger", "version"),
    [
        (f"{GOLANG}; INSERT INTO schema_migrations VALUES (2, true)", "2"),
        (f"{FLYWAY}; UPDATE flyway_schema_history SET success = false WHERE version = '2'", "2"),
    ],
    ids=["golang-migrate", "flyway"],
)
def test_a_half_applied_foreign_migration_is_not_adopted(
    database: Database, folder: Path, ledger: str, version: str
) -> None:
    execute(database, ONE, TWO, ledger)
    found = look(database, folder, apply=True)
    assert (found.verdict, found.exit_code, found.is_applied) == (Verdict.EQUAL, 1, False)
    assert f"{version} failed half way" in found.objections[0]
    assert recorded(database, folder) == []
    insisted = baseline(database, read_migrations(folder), "02_index")
    assert (insisted.is_applied, recorded(database, folder)) == (True, ["01_t", "02_index"])


@pytest.mark.one_server
def test_a_stamped_ledger_is_not_believed(database: Database) -> None:
    build(database, "6d27a51e02d6", revisions=("500165e12345",))
    found = adopt_database(database, WFLO)
    assert (found.verdict, found.id) == (Verdict.EQUAL, WFLO.items[0].id)
    assert "says 500165e12345, which stands for 20251110_03_4c9e1-validate-foreign-keys" in found.notes[0]


@pytest.mark.one_server
def test_an_unknown_revision_is_named_and_the_catalog_asked(database: Database) -> None:
    build(database, "500165e12345", revisions=("deadbeef0000",))
    found = adopt_database(database, WFLO)
    assert (found.verdict, found.id, found.ledgers[0].unknown) == (Verdict.EQUAL, WFLO.items[2].id, ("deadbeef0000",))
    assert "deadbeef0000, which no file here names" in found.notes[0]


@pytest.mark.one_server
def test_two_ledgers_are_adopted_only_by_name(database: Database, folder: Path) -> None:
    execute(database, ONE, DBMATE, GOOSE)
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied, found.exit_code) == (Verdict.EQUAL, False, 1)
    assert "more than one tool has recorded here: goose (public.goose_db_version) and dbmate" in found.objections[0]
    assert look(database, folder, apply=True, to="01_t").is_applied


@pytest.mark.one_server
def test_a_catalog_that_equals_nothing_gets_the_nearest_and_every_difference(database: Database, folder: Path) -> None:
    execute(database, ONE, TWO, THREE, "ALTER TABLE t ALTER name DROP NOT NULL", "ALTER TABLE u ADD extra integer")
    found = look(database, folder, apply=True)
    assert (found.verdict, found.id, found.exit_code, found.is_applied) == (Verdict.DIFFERENT, "03_u", 1, False)
    assert [(d.kind, d.object, d.attribute, d.have, d.want) for d in found.differences] == [
        ("column", "public.t.name", "not null", "NULL", "NOT NULL"),
        ("column", "public.u.extra", "", "integer", "NOTHING"),
    ]
    assert [(p.id, p.differences) for p in found.places] == [("01_t", 3), ("02_index", 2), ("03_u", 2)]
    assert "--unverified" in found.next_steps[-1]


@pytest.mark.one_server
def test_what_is_too_much_on_our_tables_prevents_equality(database: Database, folder: Path) -> None:
    execute(
        database,
        ONE,
        TWO,
        "ALTER TABLE t ADD CONSTRAINT c CHECK (id > 0)",
        "CREATE INDEX x ON t (id, name)",
        "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'",
        "CREATE TRIGGER g BEFORE DELETE ON t FOR EACH ROW EXECUTE FUNCTION f()",
        "ALTER TABLE t ADD y integer",
        "CREATE TABLE u (id integer PRIMARY KEY)",
    )
    found = look(database, folder, apply=True, to="02_index")
    assert found.is_applied is False
    assert {f"{d.kind} {d.object}" for d in found.differences} == {
        "table public.u",
        "column public.t.y",
        "index public.t.x",
        "constraint public.t.c",
        "trigger public.t.g",
    }
    assert found.beside == ("function public.f()",)


@pytest.mark.one_server
def test_what_stands_beside_our_tables_prevents_nothing_and_is_told(database: Database, folder: Path) -> None:
    execute(
        database,
        ONE,
        TWO,
        "CREATE TABLE users (id serial PRIMARY KEY, t_id integer REFERENCES t (id))",
        "CREATE VIEW v AS SELECT id FROM t",
        "CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
        "CREATE SCHEMA other",
        "CREATE TABLE other.t (id integer)",
    )
    found = look(database, folder)
    assert (found.verdict, found.id) == (Verdict.EQUAL, "02_index")
    assert found.beside == ("function public.f()", "schema other", "table public.users", "view public.v")


@pytest.mark.one_server
def test_another_order_of_columns_is_told_and_prevents_nothing(database: Database, folder: Path) -> None:
    execute(database, "CREATE TABLE t (name text NOT NULL, id integer PRIMARY KEY)")
    found = look(database, folder)
    assert (found.verdict, found.id) == (Verdict.EQUAL, "01_t")
    assert [(d.attribute, d.cosmetic) for d in found.differences] == [("column order", True)]


@pytest.mark.one_server
def test_migrations_that_change_rows_only_are_not_guessed(database: Database, folder: Path) -> None:
    (folder / "02_index.sql").write_text("INSERT INTO t VALUES (1, 'x');\n")
    execute(database, ONE)
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied, found.exit_code) == (Verdict.AMBIGUOUS, False, 1)
    assert found.next_steps == ("wflo-schema adopt --apply --to 02_index", "wflo-schema adopt --apply --to 01_t")
    assert look(database, folder, apply=True, to="02_index").record == ("01_t", "02_index")


NUMBERS = {
    "golang-migrate": ("CREATE TABLE schema_migrations (version bigint, dirty boolean)", "3, FALSE", "0003_rows"),
    "dbmate": ("CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)", "'20240103'", "20240103_rows"),
    "goose": (
        "CREATE TABLE goose_db_version (id serial, version_id bigint, is_applied boolean, tstamp timestamp)",
        "1, 3, TRUE, now()",
        "00003_rows",
    ),
    "its ids": ("CREATE TABLE schema_migrations (version varchar PRIMARY KEY)", "'0003_rows'", "0003_rows"),
}


@pytest.mark.one_server
@pytest.mark.parametrize("tool", NUMBERS)
@pytest.mark.parametrize("rows", [1, 2])
def test_a_ledger_that_says_the_number_decides_between_migrations_that_change_rows_only(
    database: Database, tmp_path: Path, tool: str, rows: int
) -> None:
    table, values, third = NUMBERS[tool]
    number, _, name = third.partition("_")
    folder = tmp_path / "files"
    folder.mkdir()
    first = number[:-1]
    texts = (ONE, *(f"INSERT INTO t VALUES ({n}, 'x')" for n in range(rows)), *("SELECT 1",) * (3 - rows))
    for n, text in enumerate(texts):
        (folder / f"{first}{n + 1}_{name if n == 2 else 'other'}.sql").write_text(f"{text};\n")
    execute(database, ONE, table, f"INSERT INTO {table.split()[2]} VALUES ({values})")
    found = look(database, folder, apply=True)
    assert (found.verdict, found.id, found.is_applied) == (Verdict.EQUAL, third, True)
    assert [w.stands_for for w in found.ledgers] == [third]
    assert recorded(database, folder) == [f"{first}1_other", f"{first}2_other", third]


@pytest.mark.one_server
@pytest.mark.parametrize("statement", ["ALTER TABLE u ADD COLUMN note text", "INSERT INTO t VALUES (1, 'one')"])
@pytest.mark.parametrize("own", ["", "00_own", "99_own"])
def test_what_the_old_tool_ran_since_is_recorded_and_not_run_again(
    database: Database, folder: Path, statement: str, own: str
) -> None:
    execute(database, ONE, TWO, THREE, "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
    execute(database, "INSERT INTO schema_migrations VALUES ('01'), ('02'), ('03')")
    names = [f'"{n}" = "{name}"' for n, name in (("01", "01_t"), ("02", "02_index"), ("03", "03_u"))]
    (folder / "adopt.toml").write_text("\n".join(["[dbmate]", *names]))
    assert look(database, folder, apply=True).is_applied
    if own:
        (folder / f"{own}.sql").write_text("CREATE TABLE own ();")
        operations.migrate(database, read_migrations(folder), allow=(Allow.LATE,))
    execute(database, statement, "INSERT INTO schema_migrations VALUES ('04')")
    (folder / "04_more.sql").write_text(f"{statement};")
    (folder / "adopt.toml").write_text("\n".join(["[dbmate]", *names, '"04" = "04_more"']))
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied, found.record) == (Verdict.EQUAL, True, ("04_more",))
    assert not found.notes
    assert not operations.migrate(database, read_migrations(folder)).done


@pytest.mark.one_server
def test_what_the_old_tool_ran_since_is_not_run_by_migrate(database: Database, folder: Path) -> None:
    execute(database, ONE, TWO, THREE, "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
    execute(database, "INSERT INTO schema_migrations VALUES ('01'), ('02'), ('03')")
    lines = '[dbmate]\n"01" = "01_t"\n"02" = "02_index"\n"03" = "03_u"\n'
    (folder / "adopt.toml").write_text(lines)
    assert look(database, folder, apply=True).is_applied
    where = ("--migrations", str(folder), "--database-url", database.url)
    for word in ("rollback", "migrate"):  # what was here once is ours
        assert wflo_schema_cli(word, *where, cwd=folder.parent).code == 0
    (folder / "04_more.sql").write_text("INSERT INTO t VALUES (1, 'one');")
    (folder / "adopt.toml").write_text(lines + '"04" = "04_more"\n')
    execute(database, "INSERT INTO t VALUES (1, 'one')", "INSERT INTO schema_migrations VALUES ('04')")
    planned, refused = (wflo_schema_cli(word, *where, cwd=folder.parent) for word in ("plan", "migrate"))
    assert (planned.code, refused.code) == (1, 3)
    assert "dbmate has run 04_more here since" in refused.err and "dbmate has run 04_more here since" in planned.out
    assert "to record that: wflo-schema adopt " in refused.err
    with database.connect() as connection:
        assert connection.execute("SELECT count(*) FROM t").fetchone() == (1,)


@pytest.mark.one_server
@pytest.mark.parametrize("own", ["", "03_u_own"])
def test_what_the_old_tool_says_it_ran_since_is_not_believed_without_proof(
    database: Database, folder: Path, own: str
) -> None:
    execute(database, ONE, TWO, THREE, "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
    execute(database, "INSERT INTO schema_migrations VALUES ('03'), ('04')")
    lines = '[dbmate]\n"01" = "01_t"\n"02" = "02_index"\n"03" = "03_u"\n'
    (folder / "adopt.toml").write_text(lines)
    look(database, folder, apply=True, to="03_u")
    (folder / "04_more.sql").write_text("ALTER TABLE u ADD COLUMN note text;")
    if own:
        (folder / f"{own}.sql").write_text("INSERT INTO t VALUES (1, 'one');")
        execute(database, "ALTER TABLE u ADD COLUMN note text")
    (folder / "adopt.toml").write_text(lines + '"04" = "04_more"\n')
    found = look(database, folder, apply=True)
    assert not found.is_applied
    assert found.notes
    assert recorded(database, folder) == ["01_t", "02_index", "03_u"]


@pytest.mark.one_server
def test_a_number_that_the_catalog_contradicts_is_not_believed(database: Database, folder: Path) -> None:
    execute(database, ONE, "CREATE TABLE schema_migrations (version bigint, dirty boolean)")
    execute(database, "INSERT INTO schema_migrations VALUES (3, FALSE)")
    found = look(database, folder)
    assert (found.verdict, found.id) == (Verdict.EQUAL, "01_t")
    assert "which stands for 03_u, and the catalog is where 01_t leads" in found.notes[0]


@pytest.mark.one_server
@pytest.mark.parametrize(
    ("tool", "ledger", "is_named"),
    [
        ("dbmate", f"{DBMATE.partition(';')[0]}; INSERT INTO schema_migrations VALUES ('01'), ('03')", False),
        ("dbmate", f"{DBMATE.partition(';')[0]}; INSERT INTO schema_migrations VALUES ('01'), ('03')", True),
        ("dbmate", f"{DBMATE.partition(';')[0]}; INSERT INTO schema_migrations VALUES ('01')", True),
        ("golang-migrate", f"{GOLANG}; INSERT INTO schema_migrations VALUES (1, FALSE)", True),
    ],
)
def test_what_the_other_ledger_leaves_out_is_not_taken_for_run(
    database: Database, folder: Path, tool: str, ledger: str, *, is_named: bool
) -> None:
    (folder / "02_index.sql").unlink()
    (folder / "02_index.rollback.sql").unlink()
    (folder / "02_rows.sql").write_text("INSERT INTO t VALUES (1, 'one');")
    if is_named:
        (folder / "adopt.toml").write_text(f'[{tool}]\n"01" = "01_t"\n"02" = "02_rows"\n"03" = "03_u"\n')
    execute(database, ONE, THREE, ledger)
    found = look(database, folder, apply=True)
    assert (found.is_applied, found.id, found.exit_code) == (False, "03_u", 1)
    assert f"public.schema_migrations of {tool} does not record 02_rows, which may change" in found.objections[0]
    assert look(database, folder, apply=True, to="03_u").is_applied


@pytest.mark.one_server
def test_what_the_other_ledger_leaves_out_and_the_catalog_shows_is_taken_for_run(
    database: Database, folder: Path
) -> None:
    execute(database, ONE, TWO, THREE, "CREATE TABLE schema_migrations (version varchar(128) PRIMARY KEY)")
    execute(database, "INSERT INTO schema_migrations VALUES ('01'), ('03')")
    assert look(database, folder, apply=True).is_applied


@pytest.mark.one_server
def test_a_left_over_ledger_that_adopt_toml_does_not_name_decides_nothing(database: Database, folder: Path) -> None:
    for name, text in (("02_rows", "INSERT INTO t VALUES (1, 'one')"), ("03_more", "INSERT INTO t VALUES (2, 'two')")):
        (folder / f"{name}.sql").write_text(f"{text};")
    for name in ("02_index", "03_u"):
        (folder / f"{name}.sql").unlink()
        (folder / f"{name}.rollback.sql").unlink()
    (folder / "adopt.toml").write_text('[alembic]\na = "01_t"\nb = "02_rows"\nc = "03_more"\n')
    execute(database, ONE, FLYWAY, "CREATE TABLE alembic_version (version_num text)")
    execute(database, "INSERT INTO alembic_version VALUES ('x')")  # a later one that is not imported yet
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied) == (Verdict.AMBIGUOUS, False)


@pytest.fixture
def long_folder(tmp_path: Path) -> Path:
    """Forty migrations: most make a table; 10 makes one that 30 drops; 21 to 24 change rows only."""
    folder = tmp_path / "long"
    folder.mkdir()
    for n in range(1, 41):
        text = f"CREATE TABLE t{n} (id integer PRIMARY KEY);\n"
        text = "DROP TABLE t10;\n" if n == 30 else f"INSERT INTO t1 VALUES ({n});\n" if 21 <= n <= 24 else text
        (folder / f"{n:03}_t.sql").write_text(text)
    return folder


@pytest.mark.one_server
@pytest.mark.parametrize("number", [1, 7, 25, 30, 39, 40])
def test_a_place_anywhere_in_a_long_history_is_found(database: Database, long_folder: Path, number: int) -> None:
    files = read_migrations(long_folder)
    operations.migrate(database, files, to=f"{number:03}")
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
    found = look(database, long_folder, apply=True)
    assert (found.verdict, found.id, found.number, found.is_applied) == (Verdict.EQUAL, f"{number:03}_t", number, True)
    assert len(found.places) < 40
    assert operations.migrate(database, files).ids == tuple(m.id for m in files.items[number:])


@pytest.mark.one_server
@pytest.mark.parametrize("number", [20, 22, 24])
def test_in_a_long_history_several_that_differ_in_rows_only_are_all_told(
    database: Database, long_folder: Path, number: int
) -> None:
    operations.migrate(database, read_migrations(long_folder), to=f"{number:03}")
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
    found = look(database, long_folder, apply=True)
    assert (found.verdict, found.is_applied) == (Verdict.AMBIGUOUS, False)
    told = [step.rpartition(" ")[2] for step in found.next_steps]
    assert told == ["024_t", "023_t", "022_t", "021_t", "020_t"]


@pytest.mark.one_server
def test_a_last_migration_that_changes_rows_only_is_not_guessed_in_a_long_history(
    database: Database, long_folder: Path
) -> None:
    (long_folder / "041_rows.sql").write_text("INSERT INTO t1 VALUES (41);\n")
    operations.migrate(database, read_migrations(long_folder), to="040")
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
    found = look(database, long_folder, apply=True)
    assert (found.verdict, found.is_applied) == (Verdict.AMBIGUOUS, False)
    assert [step.rpartition(" ")[2] for step in found.next_steps] == ["041_rows", "040_t"]


@pytest.mark.one_server
def test_a_table_that_a_later_migration_drops_is_ours_though_nobody_looked_there(
    database: Database, long_folder: Path
) -> None:
    operations.migrate(database, read_migrations(long_folder))
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
    execute(database, "CREATE TABLE t10 (id integer PRIMARY KEY)", "CREATE TABLE stranger (id integer)")
    found = look(database, long_folder)
    assert (found.verdict, [d.object for d in found.differences]) == (Verdict.DIFFERENT, ["public.t10"])
    assert found.beside == ("table public.stranger",)
    execute(database, *(f"DROP TABLE t{n}" for n in range(1, 41) if n != 10 and not 21 <= n <= 24 and n != 30))
    assert look(database, long_folder).verdict is Verdict.DIFFERENT  # and not empty: t10 is in the way


@pytest.mark.one_server
def test_a_long_history_of_which_nothing_is_equal_gets_the_nearest(database: Database, long_folder: Path) -> None:
    operations.migrate(database, read_migrations(long_folder), to="017")
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version", "ALTER TABLE t3 ADD x integer")
    found = look(database, long_folder, apply=True)
    assert (found.verdict, found.id, [d.object for d in found.differences]) == (
        Verdict.DIFFERENT,
        "017_t",
        ["public.t3.x"],
    )


@pytest.mark.one_server
def test_a_wish_in_a_long_history_is_told_where_the_database_is(database: Database, long_folder: Path) -> None:
    operations.migrate(database, read_migrations(long_folder), to="013")
    execute(database, "DROP TABLE _yoyo_migration, _yoyo_log, _yoyo_version")
    found = look(database, long_folder, to="036")
    assert (found.verdict, found.next_steps) == (Verdict.DIFFERENT, ("wflo-schema adopt --apply --to 013_t",))
    assert look(database, long_folder, apply=True, to="013").is_applied


UNREPLAYABLE = {
    "fails": "SELECT 1 / 0;",
    "needs an extension": "CREATE EXTENSION not_there;",
    "of a newer PostgreSQL": "CREATE TABLE x (id integer) NEWER THAN (ours);",
    "is half a transaction": "BEGIN;\nCREATE TABLE x ();\nCOMMIT;\nCREATE TABLE y ();",
    "is not written": UNWRITTEN,
    "reaches outside": "DO $$ BEGIN UPDATE pg_database SET datallowconn = TRUE; END $$;",
    "fails half way": "-- transactional: false\nCREATE TABLE x ();\nSELECT 1 / 0;",
}


@pytest.fixture
def broken_folder(tmp_path: Path) -> Path:
    """Fourteen migrations that make a table each."""
    folder = tmp_path / "broken"
    folder.mkdir()
    for n in range(1, 15):
        (folder / f"{n:02}_t.sql").write_text(f"CREATE TABLE t{n} (id integer PRIMARY KEY);\n")
    return folder


def stands_at(database: Database, number: int, *, ledger: int | None = None) -> None:
    execute(database, *(f"CREATE TABLE t{n} (id integer PRIMARY KEY)" for n in range(1, number + 1)))
    if ledger is not None:
        execute(database, "CREATE TABLE schema_migrations (version bigint, dirty boolean)")
        execute(database, f"INSERT INTO schema_migrations VALUES ({ledger}, FALSE)")


@pytest.mark.one_server
@pytest.mark.parametrize("why", UNREPLAYABLE)
def test_a_file_behind_the_place_that_cannot_be_replayed_is_a_note(
    database: Database, broken_folder: Path, why: str
) -> None:
    (broken_folder / "12_t.sql").write_text(UNREPLAYABLE[why])
    stands_at(database, 9, ledger=9)
    found = look(database, broken_folder)
    assert (found.verdict, found.id, found.exit_code) == (Verdict.EQUAL, "09_t", 0)
    assert [str(broken_folder / "12_t.sql") in note for note in found.notes] == [True]
    assert "12_t cannot be replayed" in found.notes[0]


@pytest.mark.one_server
@pytest.mark.parametrize("to", [None, "09"])
def test_a_place_before_what_cannot_be_replayed_is_found_without_a_ledger(
    database: Database, broken_folder: Path, to: str | None
) -> None:
    (broken_folder / "12_t.sql").write_text(UNREPLAYABLE["fails"])
    stands_at(database, 9)
    found = look(database, broken_folder, apply=True, to=to)
    assert (found.is_applied, found.id) == (True, "09_t")
    assert look(database, broken_folder).verdict is Verdict.OURS


@pytest.mark.one_server
@pytest.mark.parametrize("why", ["fails", "fails half way"])
def test_the_last_place_that_can_be_replayed_is_not_guessed(database: Database, broken_folder: Path, why: str) -> None:
    (broken_folder / "12_t.sql").write_text(UNREPLAYABLE[why])
    stands_at(database, 11)
    found = look(database, broken_folder, apply=True)
    assert (found.is_applied, found.id, found.exit_code) == (False, "11_t", 1)
    assert "nothing shows whether this database has 12_t, too" in found.objections[0]
    assert found.objections[0].endswith("wflo-schema adopt --apply --to 11_t")
    assert look(database, broken_folder, apply=True, to="11_t").is_applied


@pytest.mark.one_server
@pytest.mark.parametrize(("at", "ledger", "to"), [(11, 13, None), (13, None, None), (9, None, "12"), (9, 12, None)])
def test_a_database_that_may_stand_behind_what_cannot_be_replayed_is_not_adopted(
    database: Database, broken_folder: Path, at: int, ledger: int | None, to: str | None
) -> None:
    (broken_folder / "12_t.sql").write_text(UNREPLAYABLE["fails"])
    stands_at(database, at, ledger=ledger)
    with pytest.raises(MigrationFailed, match="division by zero"):
        look(database, broken_folder, apply=True, to=to)


@pytest.mark.one_server
def test_an_empty_database_is_told_to_migrate(database: Database, folder: Path) -> None:
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied, found.next_steps) == (Verdict.EMPTY, False, ("wflo-schema migrate",))
    assert not operations.status(database, read_migrations(folder)).has_ledger


@pytest.mark.one_server
def test_tables_in_another_schema_are_pointed_at_and_adopted_there(database: Database, folder: Path) -> None:
    execute(database, "CREATE SCHEMA app", ONE.replace(" t ", " app.t "))
    assert look(database, folder).next_steps == ("wflo-schema adopt --schema app",)
    assert look(database.with_schema("app"), folder, apply=True).id == "01_t"
    assert operations.migrate(database.with_schema("app"), read_migrations(folder)).ids == ("02_index", "03_u")


@pytest.mark.one_server
def test_a_yoyo_ledger_that_is_ahead_of_the_catalog_is_refused(database: Database, folder: Path) -> None:
    execute(database, ONE)
    operations.baseline(database, read_migrations(folder), ["01_t", "02_index"])
    execute(database, "UPDATE _yoyo_migration SET checksum = NULL")
    found = look(database, folder, apply=True)
    assert (found.id, found.is_applied) == ("01_t", False)
    assert "already records 02_index" in found.objections[0]


@pytest.mark.one_server
def test_files_of_ours_that_are_elsewhere_are_asked_for(database: Database, folder: Path) -> None:
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "00_x.sql").write_text("CREATE TABLE x (id integer);\n")
    operations.migrate(database, read_migrations(elsewhere))
    execute(database, ONE)
    found = look(database, folder, apply=True)
    assert found.is_applied is False
    assert "wflo-schema recorded 00_x here, from files that are not in" in found.objections[0]


@pytest.mark.one_server
def test_nothing_is_recorded_when_the_catalog_changes_after_the_look(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, ONE)
    honest = operations.baseline

    def late(*args: object, **options: object) -> Result:
        execute(database, "ALTER TABLE t ADD late integer")
        return honest(*args, **options)  # type: ignore[arg-type]

    files = read_migrations(folder)
    monkeypatch.setattr(operations, "baseline", late)
    with pytest.raises(Refused, match="changed while it was looked at"):
        adopt_database(database, files, apply=True)
    assert recorded(database, folder) == []


@pytest.mark.one_server
def test_a_dry_look_writes_nothing_and_waits_for_no_lock(database: Database, folder: Path) -> None:
    execute(database, ONE, DBMATE)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        assert look(database, folder).verdict is Verdict.EQUAL
    assert not operations.status(database, read_migrations(folder)).has_ledger


@pytest.mark.one_server
def test_applying_waits_for_no_lock_on_the_tables(database: Database, folder: Path) -> None:
    execute(database, ONE)
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        assert look(database, folder, apply=True).is_applied


@pytest.mark.one_server
def test_a_role_that_may_not_make_a_scratch_database_may_name_another_server(
    database: Database, folder: Path, server: RunningServer
) -> None:
    execute(database, ONE, "GRANT CREATE ON SCHEMA public TO PUBLIC")
    execute(
        database,
        "DO $$ BEGIN CREATE ROLE plain LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "ALTER TABLE t OWNER TO plain",
    )
    plain = database.with_parameters(user="plain")
    files = read_migrations(folder)
    with pytest.raises(Refused, match="may not create the scratch database"):
        adopt_database(plain, files)
    assert adopt_database(plain, files, apply=True, scratch=ScratchOptions(server.database)).is_applied


@pytest.mark.one_server
def test_two_adoptions_at_once_record_once(database: Database, folder: Path) -> None:
    execute(database, ONE)

    def one() -> bool:
        try:
            return look(database, folder, apply=True).is_applied
        except Refused as error:
            return "ledger changed" not in error.message

    with ThreadPoolExecutor(3) as pool:
        outcomes = [f.result() for f in [pool.submit(one) for _ in range(3)]]
    assert any(outcomes)
    assert recorded(database, folder) == ["01_t"]
    with database.connect() as connection:
        row = connection.execute("SELECT count(*) FROM _yoyo_log").fetchone()
    assert row == (1,)


@pytest.mark.one_server
def test_tables_that_only_bear_a_ledgers_name_are_compared(database: Database, folder: Path) -> None:
    (folder / "01_t.sql").write_text(f"{ONE}; CREATE TABLE events (id integer); CREATE TABLE changes (id integer);\n")
    execute(database, (folder / "01_t.sql").read_text())
    found = look(database, folder)
    assert (found.ledgers, found.id, found.verdict) == ((), "01_t", Verdict.EQUAL)


@pytest.mark.one_server
def test_a_ledger_in_public_is_seen_for_tables_in_another_schema(database: Database, folder: Path) -> None:
    execute(database, "CREATE SCHEMA app", ONE.replace(" t ", " app.t "), DBMATE)
    found = look(database.with_schema("app"), folder)
    assert ([w.table for w in found.ledgers], found.verdict) == (["public.schema_migrations"], Verdict.EQUAL)


# baseline


@pytest.mark.one_server
def test_a_baseline_is_verified_unless_insisted(database: Database, folder: Path) -> None:
    execute(database, ONE)
    files = read_migrations(folder)
    found = baseline(database, files, "02")
    assert (found.verdict, found.is_applied, len(found.differences)) == (Verdict.DIFFERENT, False, 1)
    assert baseline(database, files, "01").is_applied
    insisted = baseline(database, files, "02", verified=False)
    assert (insisted.is_applied, insisted.record) == (True, ("02_index",))
    assert recorded(database, folder) == ["01_t", "02_index"]


# a ledger of our own that lies


def said(found: Adoption) -> tuple[Verdict, int, bool]:
    return found.verdict, found.exit_code, found.is_applied


@pytest.mark.one_server
@pytest.mark.parametrize("ask", ["adopt", "adopt --to", "baseline"])
def test_records_that_nobody_verified_are_compared_all_the_same(database: Database, folder: Path, ask: str) -> None:
    execute(database, ONE)
    files = read_migrations(folder)
    baseline(database, files, "03", verified=False)
    if ask == "baseline":
        found = baseline(database, files, "03")
    else:
        found = look(database, folder, apply=True, to="03" if ask == "adopt --to" else None)
    assert said(found) == (Verdict.DRIFT, 1, False)
    assert [f"{d.kind} {d.object}" for d in found.differences] == ["table public.u", "index public.t.t_name"]
    assert [(p.id, p.differences) for p in found.places] == [("01_t", 0), ("02_index", 1), ("03_u", 2)]
    assert "records 3 migrations up to 03_u, and the catalog is where 01_t leads" in found.notes[0]
    forget = found.next_steps[0].rpartition("psql: ")[2]
    assert forget == """DELETE FROM "public"."_yoyo_migration" WHERE migration_id IN ('02_index', '03_u');"""
    assert found.next_steps[1:] == ("wflo-schema migrate",)
    execute(database, forget)
    assert operations.migrate(database, files).ids == ("02_index", "03_u")
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)


@pytest.mark.parametrize("to", [None, "01", "03"])
def test_a_key_that_was_dropped_after_it_was_recorded_is_missed(
    database: Database, folder: Path, to: str | None
) -> None:
    operations.migrate(database, read_migrations(folder))
    execute(database, "ALTER TABLE u DROP CONSTRAINT u_t_id_fkey", "ALTER TABLE t ADD extra integer")
    for found in (look(database, folder, to=to), baseline(database, read_migrations(folder), to or "03")):
        assert said(found) == (Verdict.DRIFT, 1, False)
        assert [(d.kind, d.object, d.have, d.want) for d in found.differences] == [
            ("constraint", "public.u.u_t_id_fkey", "NOTHING", "public.u(t_id) REFERENCES public.t(id)"),
            ("column", "public.t.extra", "integer", "NOTHING"),
        ]
        assert "VALIDATE CONSTRAINT u_t_id_fkey;" in found.next_steps[0]
        assert found.next_steps[1].startswith("undo by hand 1 difference ")
        assert found.next_steps[-1] == "wflo-schema check --only ledger --only drift"
    execute(database, "ALTER TABLE t DROP extra", *(d.mend for d in found.differences if d.mend))
    assert said(look(database, folder, to=to)) == (Verdict.OURS, 0, False)


@pytest.mark.one_server
def test_what_mends_a_drift_adds_a_key_before_it_drops_another(database: Database, folder: Path) -> None:
    operations.migrate(database, read_migrations(folder))
    execute(
        database,
        "ALTER TABLE u DROP CONSTRAINT u_t_id_fkey",
        "ALTER TABLE u ADD CONSTRAINT a FOREIGN KEY (t_id) REFERENCES t ON DELETE CASCADE",
    )
    found = look(database, folder)
    assert ["ADD" if " ADD " in step else "DROP" for step in found.next_steps[:2]] == ["ADD", "DROP"]
    execute(database, *(step.removeprefix("in psql: ") for step in found.next_steps[:2]))
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)


@pytest.mark.one_server
def test_records_copied_from_another_database_are_not_believed(
    server: RunningServer, database: Database, folder: Path
) -> None:
    operations.migrate(database, read_migrations(folder))
    execute(database, "DROP TABLE u, t")
    for found in (look(database, folder, apply=True), baseline(database, read_migrations(folder), "03")):
        assert said(found) == (Verdict.DRIFT, 1, False)
        assert [d.object for d in found.differences] == ["public.t", "public.u"]
        assert "not like that: none of the tables is there" in found.notes[0]
    execute(database, found.next_steps[0].rpartition("psql: ")[2])
    assert found.next_steps[1:] == ("wflo-schema migrate",)
    assert operations.migrate(database, read_migrations(folder)).ids == ("01_t", "02_index", "03_u")


@pytest.mark.one_server
def test_a_ledger_that_says_too_little_is_told_what_to_record(database: Database, folder: Path) -> None:
    operations.migrate(database, read_migrations(folder), to="01")
    execute(database, TWO)
    found = look(database, folder, apply=True)
    assert said(found) == (Verdict.DRIFT, 1, False)
    assert found.next_steps == ("wflo-schema baseline --to 02_index", "wflo-schema migrate")
    assert baseline(database, read_migrations(folder), "02").record == ("02_index",)
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)


@pytest.mark.one_server
def test_a_migration_that_was_left_out_is_left_out_of_what_is_compared(database: Database, folder: Path) -> None:
    (folder / "02_index.sql").rename(folder.parent / "02_index.sql")
    operations.migrate(database, read_migrations(folder))
    (folder.parent / "02_index.sql").rename(folder / "02_index.sql")
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)
    execute(database, "DROP TABLE u")
    found = look(database, folder)
    assert said(found) == (Verdict.DRIFT, 1, False)
    assert "the catalog is where 01_t leads" in found.notes[0]


@pytest.mark.one_server
def test_a_right_ledger_of_ours_is_nothing_to_do_whatever_is_asked(database: Database, folder: Path) -> None:
    files = read_migrations(folder)
    operations.migrate(database, files, to="02")
    for found in (
        look(database, folder),
        look(database, folder, apply=True, to="01"),
        look(database, folder, to="02"),
        baseline(database, files, "01"),
        baseline(database, files, "02"),
    ):
        assert (said(found), found.id, found.differences) == ((Verdict.OURS, 0, False), "02_index", ())
    assert look(database, folder).next_steps == ("wflo-schema migrate",)
    found = baseline(database, files, "03")
    assert (found.verdict, found.exit_code, [d.object for d in found.differences]) == (
        Verdict.DIFFERENT,
        1,
        ["public.u"],
    )


@pytest.mark.one_server
def test_rows_of_yoyos_for_tables_that_are_not_there_are_no_empty_database(database: Database, folder: Path) -> None:
    execute(database, ONE)
    operations.baseline(database, read_migrations(folder), ["01_t"])
    execute(database, "UPDATE _yoyo_migration SET checksum = NULL", "DROP TABLE t")
    assert said(look(database, folder)) == (Verdict.DRIFT, 1, False)


@pytest.mark.one_server
def test_a_file_that_was_edited_after_it_was_applied_is_an_objection(database: Database, folder: Path) -> None:
    operations.migrate(database, read_migrations(folder))
    (folder / "02_index.sql").write_text(f"{TWO}; -- edited\n")
    found = look(database, folder)
    assert (found.exit_code, "applied migrations were edited since: 02_index" in found.objections[0]) == (1, True)


@pytest.mark.one_server
def test_a_baseline_of_an_empty_database_is_a_no(database: Database, folder: Path) -> None:
    found = baseline(database, read_migrations(folder), "03")
    assert (said(found), found.next_steps) == ((Verdict.EMPTY, 1, False), ("wflo-schema migrate",))
    assert "none of the tables of 03_u is there" in found.objections[0]
    assert not operations.status(database, read_migrations(folder)).has_ledger


@pytest.mark.one_server
def test_what_was_not_verified_is_said_on_stderr(database: Database, folder: Path) -> None:
    target = ("--database-url", database.url, "--migrations", str(folder))
    result = CliRunner().invoke(cli, ("baseline", *target, "--to", "03", "--unverified"))
    assert result.exit_code == 0
    assert "warning: recorded on your word alone, nothing was compared: 01_t, 02_index, 03_u" in result.stderr
    assert invoke("adopt", *target)[0] == 1


# locks, and others at the same time


@pytest.mark.parametrize("table", ["alembic_version", "_yoyo_migration"])
def test_a_ledger_that_is_locked_is_named_with_who_holds_it(database: Database, folder: Path, table: str) -> None:
    execute(database, ONE, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
    operations.baseline(database, read_migrations(folder), ["01_t"])
    with database.with_parameters(application_name="theirs").connect(autocommit=False) as other:
        other.execute(f"SET idle_in_transaction_session_timeout = '60s'; LOCK TABLE {table}".encode())
        with pytest.raises(DatabaseError, match=f"public.{table}\nheld by pid .*theirs") as refused:
            look(database, folder)
        other.commit()  # it still held its lock
        assert f"pg_terminate_backend({other.info.backend_pid})" in refused.value.hint
        assert refused.value.sqlstate == "55P03"


@pytest.mark.one_server
def test_a_prepared_transaction_that_locks_a_ledger_is_told_how_to_be_ended(
    folder: Path, server: RunningServer
) -> None:
    del server  # it allows no prepared transactions
    own = start_server("18", settings={"max_prepared_transactions": "5"})
    try:
        execute(own.database, ONE, "CREATE TABLE alembic_version (version_num varchar(32) PRIMARY KEY)")
        with own.database.connect() as connection:
            connection.execute("BEGIN; LOCK TABLE alembic_version; PREPARE TRANSACTION 'forgotten'")
            with pytest.raises(DatabaseError, match="held by a prepared transaction") as refused:
                look(own.database, folder)
            assert "ROLLBACK PREPARED; see pg_prepared_xacts" in refused.value.hint
            connection.execute("ROLLBACK PREPARED 'forgotten'")
    finally:
        stop_server(own)


@pytest.mark.one_server
def test_recording_waits_a_little_for_the_ledger_and_then_names_who_holds_it(database: Database, folder: Path) -> None:
    execute(database, ONE)
    operations.baseline(database, read_migrations(folder), ["02_index"])
    execute(database, "DELETE FROM _yoyo_migration")
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE _yoyo_migration IN SHARE ROW EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"public\._yoyo_migration\nheld by pid"):
            look(database, folder, apply=True)
    assert recorded(database, folder) == []
    assert look(database, folder, apply=True).is_applied


@pytest.mark.one_server
def test_the_loser_of_two_adoptions_finds_nothing_left_to_do(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    execute(database, ONE)
    honest, files = operations.baseline, read_migrations(folder)

    def late(target: Database, migrations: Migrations, ids: Sequence[str], **options: object) -> Result:
        if target == database:
            honest(target, migrations, ids)
        return honest(target, migrations, ids, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(operations, "baseline", late)
    found = adopt_database(database, files, apply=True)
    assert (said(found), found.id, found.record) == ((Verdict.OURS, 0, False), "01_t", ())
    assert "at the same time" in found.notes[-1]


@pytest.mark.one_server
def test_a_schema_that_is_not_there_is_said_so(database: Database, folder: Path) -> None:
    target = ("--database-url", database.url, "--migrations", str(folder), "--schema", "nosuch")
    with pytest.raises(Refused, match="there is no schema nosuch in") as refused:
        look(database.with_schema("nosuch"), folder)
    assert refused.value.hint.endswith("wflo-schema migrate --schema nosuch --create-schema")
    assert isinstance(CliRunner().invoke(cli, ("baseline", *target, "--to", "01")).exception, Refused)


# as a stranger would


@pytest.mark.one_server
@pytest.mark.parametrize("to", ["02", None])
def test_a_migration_of_ours_that_is_half_applied_is_told_to_be_finished(
    database: Database, folder: Path, to: str | None
) -> None:
    number = "03" if to else "01"
    (folder / f"{number}_half.sql").write_text(
        "-- transactional: false\nCREATE TABLE h (id integer);\n"
        "SELECT 1 / (1 - count(*)) FROM pg_class WHERE relname = 'stop';\n"
    )
    execute(database, "CREATE TABLE stop ()")
    if to:
        operations.migrate(database, read_migrations(folder), to=to, allow=[Allow.NOT_EMPTY])
    with pytest.raises(MigrationFailed):
        operations.migrate(database, read_migrations(folder), to=f"{number}_half", allow=[Allow.NOT_EMPTY])
    found = look(database, folder, apply=True)
    assert (found.exit_code, found.is_applied) == (1, False)
    assert f"{number}_half" in (found.notes or found.objections)[0]
    assert "wflo-schema migrate" in (found.next_steps or found.objections)[0]
    execute(database, "DROP TABLE stop")
    operations.migrate(database, read_migrations(folder))
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)


@pytest.mark.one_server
def test_a_migration_that_commits_during_the_look_makes_no_liar_of_the_ledger(
    database: Database, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files, honest = read_migrations(folder), other_ledgers
    operations.migrate(database, files, to="01")

    def slow(target: Database, schema: str | None) -> FoundLedgers:
        operations.migrate(database, files)
        return honest(target, schema)

    monkeypatch.setattr("wflo_schema.adopt.look.other_ledgers", slow)
    found = look(database, folder)
    assert (said(found), found.id) == ((Verdict.OURS, 0, False), "03_u")


@pytest.mark.one_server
def test_migrations_that_make_no_table_are_compared_too(database: Database, folder: Path) -> None:
    (folder / "01_t.sql").write_text("CREATE FUNCTION f() RETURNS integer LANGUAGE sql AS 'SELECT 1';\n")
    (folder / "02_index.sql").write_text(f"{ONE};\n")
    operations.migrate(database, read_migrations(folder), to="01")
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)
    execute(database, "DROP FUNCTION f()")
    assert said(look(database, folder)) == (Verdict.DRIFT, 1, False)


def test_a_role_that_may_only_read_looks_and_is_told_what_it_may_not(
    server: RunningServer, database: Database, folder: Path
) -> None:
    execute(
        database,
        ONE,
        DBMATE,
        "DO $$ BEGIN CREATE ROLE reader LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "GRANT USAGE ON SCHEMA public TO reader",
        "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader",
    )
    reader, files = database.with_parameters(user="reader"), read_migrations(folder)
    found = adopt_database(reader, files, scratch=ScratchOptions(server.database))
    assert (found.verdict, found.id, [w.tool for w in found.ledgers]) == (Verdict.EQUAL, "01_t", ["dbmate"])
    with pytest.raises(DatabaseError, match="may not make the ledger's tables") as refused:
        adopt_database(reader, files, apply=True, scratch=ScratchOptions(server.database))
    assert "GRANT CREATE on the schema" in refused.value.hint
    execute(database, "REVOKE SELECT ON schema_migrations FROM reader")
    with pytest.raises(CannotRead, match="another tool's ledger may not be read"):
        adopt_database(reader, files, scratch=ScratchOptions(server.database))
    execute(database, "REVOKE USAGE ON SCHEMA public FROM reader")
    with pytest.raises(Refused, match="this role can use no schema"):
        adopt_database(reader, files, scratch=ScratchOptions(server.database))


@pytest.mark.one_server
def test_a_ledger_in_another_schema_is_found_and_two_need_a_word(database: Database, folder: Path) -> None:
    execute(database, ONE, "CREATE SCHEMA meta", DBMATE.replace("schema_migrations", "meta.schema_migrations"))
    found = look(database, folder)
    assert ([w.table for w in found.ledgers], found.verdict) == (["meta.schema_migrations"], Verdict.EQUAL)
    execute(database, GOOSE)
    assert "more than one tool has recorded here" in look(database, folder, apply=True).objections[0]
    assert look(database, folder, apply=True, to="01").is_applied
    assert said(look(database, folder, apply=True)) == (Verdict.OURS, 0, False)


@pytest.mark.one_server
def test_a_ledger_of_the_provider_or_beside_other_tables_is_not_the_one_in_our_schema(
    database: Database, folder: Path
) -> None:
    execute(
        database,
        ONE,
        DBMATE,
        "DO $$ BEGIN CREATE ROLE supabase_tests_admin; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
        "CREATE SCHEMA auth",
        DBMATE.replace("schema_migrations", "auth.schema_migrations"),
        "ALTER TABLE auth.schema_migrations OWNER TO supabase_tests_admin",
        "CREATE SCHEMA other",
        DBMATE.replace("schema_migrations", "other.schema_migrations"),
    )
    found = look(database, folder, apply=True)
    assert ([w.table for w in found.ledgers], found.is_applied) == (["public.schema_migrations"], True)


@pytest.mark.one_server
def test_many_tables_beside_ours_are_in_nobodys_way(database: Database, folder: Path) -> None:
    beside = (f"CREATE TABLE x{n} (id serial PRIMARY KEY, t_id integer REFERENCES t)" for n in range(300))
    execute(database, ONE, *beside)
    found = look(database, folder, apply=True)
    assert (found.is_applied, found.id, len(found.beside)) == (True, "01_t", 300)
    assert said(look(database, folder)) == (Verdict.OURS, 0, False)


_ADOPT_AND_SAY_WHEN = """
import sys
from wflo_schema.engine import operations
from wflo_schema.cli.commands import main

honest = operations.baseline

def baseline(database, *words, **options):
    if database.name == sys.argv[1]:
        print("now", flush=True)
    return honest(database, *words, **options)

operations.baseline = baseline
main(sys.argv[2:])
"""


def test_an_adoption_killed_around_its_commit_is_there_as_a_whole_or_not_at_all(
    database: Database, folder: Path
) -> None:
    execute(database, ONE, TWO)
    words = ("adopt", "--apply", "--database-url", database.url, "--migrations", str(folder))
    outcomes = []
    for pause_s in (0.02, None, 0.05, 0.15):
        command = [sys.executable, "-c", _ADOPT_AND_SAY_WHEN, database.name, *words]
        with database.connect(autocommit=False) as blocker:
            if pause_s is None:  # so that it is killed before it could record anything
                blocker.execute("LOCK TABLE _yoyo_migration IN SHARE MODE")
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2]) as process:
                assert process.stdout is not None and process.stdout.readline() == "now\n"
                time.sleep(pause_s or 0.0)
                process.kill()
            others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> ALL (%s)"
            with database.connect() as admin:
                pids = [admin.info.backend_pid, blocker.info.backend_pid]
                while admin.execute(others, (pids,)).fetchone() != (0,):
                    time.sleep(0.01)
        outcomes.append(recorded(database, folder))
        assert outcomes[-1] in ([], ["01_t", "02_index"])
        found = look(database, folder, apply=True)
        assert (found.exit_code, recorded(database, folder)) == (0, ["01_t", "02_index"])
        execute(database, "DELETE FROM _yoyo_migration")
    assert [] in outcomes


@needs_pgbouncer
@pytest.mark.parametrize("mode", ["transaction", "session"])
def test_an_adoption_through_a_pooler_leaves_no_lock_and_no_database(
    database: Database, folder: Path, mode: str
) -> None:
    execute(database, ONE)
    with pgbouncer(database, mode, 5) as pooled:
        assert look(pooled, folder, apply=True).is_applied
        assert said(look(pooled, folder)) == (Verdict.OURS, 0, False)
        with database.connect() as connection:
            left = "SELECT count(*) FROM pg_database WHERE datname LIKE 'wflo_schema_scratch%'"
            assert connection.execute(left).fetchone() == (0,)
            locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s"
            assert connection.execute(locks, [_SESSIONS]).fetchone() == (0,)


def test_a_dry_look_does_not_wait_long_for_a_lock_below_a_view(database: Database, folder: Path) -> None:
    (folder / "02_index.sql").write_text("CREATE VIEW v AS SELECT t.id, count(*) FROM t GROUP BY t.id;\n")
    execute(database, ONE, (folder / "02_index.sql").read_text())
    with database.connect(autocommit=False) as other:
        other.execute("LOCK TABLE ONLY t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseError, match=r"a table below a view is locked .*: public\.t\nheld by pid"):
            look(database, folder)
    assert look(database, folder).id == "02_index"


# names and the command line


@pytest.mark.parametrize(
    ("text", "message"),
    [("[alembic\n", "cannot read"), ("alembic = 1", "must hold lines"), ('[a]\nx = "99"', "no such migration")],
)
def test_a_names_file_that_makes_no_sense_is_refused(folder: Path, text: str, message: str) -> None:
    (folder / "adopt.toml").write_text(text)
    with pytest.raises(WfloSchemaError, match=message):
        read_names(read_migrations(folder))


def invoke(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, words)
    return result.exit_code, result.output


def steps_of(text: str) -> list[list[str]]:
    """The commands that a person would paste, split as a shell splits them."""
    told = "wflo-schema "
    return [shlex.split(line.partition(told)[2]) for line in text.splitlines() if told in line]


@pytest.mark.one_server
@pytest.mark.parametrize("schema", [None, "a$b", "it's"])
def test_the_next_step_pasted_is_the_next_step(
    database: Database, tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch, schema: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    folder.rename(tmp_path / "my files")
    target = database if schema is None else database.with_schema(schema)
    if schema is not None:
        operations.migrate(target, read_migrations(tmp_path / "my files"), to="02_index", create_schema=True)
        with database.connect() as connection:
            for table in ("_yoyo_migration", "_yoyo_log", "_yoyo_version"):
                connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier(schema, table)))
    else:
        execute(database, ONE, TWO)
    secret = database.with_parameters(password="sesame").url
    words = ["adopt", "--database-url", secret, "--migrations", "my files", "--scratch-url", secret]
    done = []
    for _ in range(6):
        _code, text = invoke(*words)
        done.append(words[0] + (" --apply" if "--apply" in words else ""))
        assert "sesame" not in text
        steps = steps_of(text)
        if not steps:
            break
        (words,) = steps
    assert done == (["adopt"] if schema else []) + ["adopt", "adopt --apply", "migrate"]
    assert [e.id for e in operations.status(target, read_migrations("my files")).applied] == [
        "01_t",
        "02_index",
        "03_u",
    ]


@pytest.mark.one_server
def test_every_command_that_is_told_names_the_same_database_and_files(
    database: Database, folder: Path, tmp_path: Path
) -> None:
    target = ("--database-url", database.url, "--migrations", str(folder), "--scratch-url", database.url)
    execute(database, ONE, f"{GOLANG}; INSERT INTO schema_migrations VALUES (2, true)", GOOSE)
    insisting, choosing = steps_of(invoke("adopt", *target)[1])
    assert insisting[0] == "baseline" and insisting[-2:] == ["--to", "01_t"]
    assert choosing[0] == "adopt" and choosing[-3:] == ["--apply", "--to", "01_t"]
    execute(database, "ALTER TABLE t ADD extra integer")
    for step in (insisting, choosing, *steps_of(invoke("adopt", *target)[1])):
        assert step[step.index("--migrations") + 1] == str(folder)
        assert step[step.index("--database-url") + 1].partition("?")[0] == database.url.partition("?")[0]
        assert "--scratch-url" in step


@pytest.mark.one_server
def test_a_wish_for_another_migration_than_the_one_it_equals_is_told_which_that_is(
    database: Database, folder: Path
) -> None:
    execute(database, ONE, TWO, THREE)
    found = baseline(database, read_migrations(folder), "02_index")
    assert (found.verdict, found.is_applied) == (Verdict.DIFFERENT, False)
    assert found.notes == ("this database is where 03_u leads, not 02_index",)
    assert found.next_steps == ("wflo-schema baseline --to 03_u",)
    assert look(database, folder, to="01_t").next_steps == ("wflo-schema adopt --apply --to 03_u",)


@pytest.mark.one_server
@pytest.mark.parametrize("child", ["CREATE TABLE evil () INHERITS (t)", "CREATE TABLE evil (b text) INHERITS (u, t)"])
def test_a_table_that_inherits_from_ours_is_in_the_way(database: Database, folder: Path, child: str) -> None:
    execute(database, ONE, TWO, THREE, "CREATE TABLE mine (id integer)", "CREATE TABLE child () INHERITS (mine)", child)
    found = look(database, folder, apply=True)
    assert (found.verdict, found.is_applied) == (Verdict.DIFFERENT, False)
    assert [(d.kind, d.object, d.want) for d in found.differences] == [("table", "public.evil", NOTHING)]
    assert set(found.beside) == {"table public.mine", "table public.child"}


@pytest.mark.one_server
def test_a_server_that_may_only_be_read_is_told_where_else_to_replay(
    database: Database, folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    execute(database, ONE)
    reader = database.with_parameters(options="-c default_transaction_read_only=on")
    with pytest.raises(Refused, match="sessions are read-only there") as refused:
        look(reader, folder)
    assert "--scratch-url" in str(refused.value.hint)
    assert "stays behind" not in caplog.text


@pytest.mark.one_server
def test_the_command_line_says_and_records(database: Database, folder: Path) -> None:
    execute(database, ONE, "ALTER TABLE t ADD extra integer", DBMATE)
    target = ("--database-url", database.url, "--migrations", str(folder))
    code, text = invoke("adopt", *target)
    assert code == 1
    assert "dbmate: public.schema_migrations records 2 versions: 1, 2" in text
    assert "  column public.t.extra\n    have: integer\n    want: NOTHING\n" in text
    assert "no: this database matches none of the migrations compared; the nearest is 01_t (migration 1 of 3)" in text
    execute(database, "ALTER TABLE t DROP extra")
    code, text = invoke("adopt", *target, "--format", "json")
    assert (code, json.loads(text)["verdict"], json.loads(text)["record"]) == (0, "equal", ["01_t"])
    code, text = invoke("adopt", *target, "--apply")
    assert code == 0
    assert "recorded: 1 migration, up to 01_t (migration 1 of 3)\n" in text
    assert "\nnext: wflo-schema migrate --database-url postgresql://" in text
    code, text = invoke("adopt", *target)
    assert (code, "nothing to do: recorded by wflo-schema already" in text) == (0, True)
    code, text = invoke("baseline", *target, "--to", "02")
    assert (code, "  index public.t.t_name\n    have: NOTHING\n" in text) == (1, True)
    code, text = invoke("baseline", *target, "--to", "02", "--unverified")
    assert (code, "note: nothing was compared: --unverified" in text) == (0, True)


def test_baseline_of_the_package_verifies_as_the_command_does(database: Database, tmp_path: Path) -> None:
    (tmp_path / "1_a.sql").write_text("CREATE TABLE a (id int NOT NULL)")
    with database.connect() as connection:
        connection.execute("CREATE TABLE a (id int)")
    found = wflo_schema.baseline(database, read_migrations(tmp_path), "1_a")
    assert found.verdict is wflo_schema.Verdict.DIFFERENT and not found.is_applied
    with database.connect() as connection:
        connection.execute("ALTER TABLE a ALTER id SET NOT NULL")
    assert wflo_schema.baseline(database, read_migrations(tmp_path), "1_a").record == ("1_a",)

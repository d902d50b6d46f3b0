"""One file in place of many makes the same, or nothing is written; databases and folders are right at every moment."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from tests.conftest import RunningServer
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import Allow, State
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.folder import read_migrations
from wflo_schema.squash.operations import Squashed, squash_migrations

pytestmark = pytest.mark.spread_over_servers

# A history with something of each: tables that are made, renamed and dropped, keys in a circle, rows, a view, a
# function and its trigger, a domain, an enum that grew, an index that was built beside writers, grants, settings.
HISTORY = {
    "01_users": "CREATE TABLE users (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text);\n"
    "INSERT INTO users (name) VALUES ('first');\nCREATE TABLE old (id integer);\nCREATE TABLE tmp (id integer);\n",
    "02_rename": "ALTER TABLE old RENAME TO new;\nALTER TABLE users ADD email text DEFAULT 'x';\nDROP TABLE tmp;\n",
    "03_kinds": "CREATE TYPE mood AS ENUM ('sad');\nALTER TYPE mood ADD VALUE 'glad';\n"
    "CREATE DOMAIN short AS text CHECK (length(VALUE) < 9);\n",
    "04_items": "CREATE TABLE items (id serial PRIMARY KEY, user_id bigint REFERENCES users (id), m mood, s short);\n"
    "ALTER TABLE users ADD best integer REFERENCES items (id);\nCREATE VIEW v AS SELECT id, name FROM users;\n",
    "05_index": "-- transactional: false\nCREATE INDEX CONCURRENTLY items_m ON items (m);\nVACUUM items;\n",
    "06_trigger": "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.s := 'set'; RETURN NEW; END$$;\n"
    "CREATE TRIGGER t BEFORE INSERT ON items FOR EACH ROW EXECUTE FUNCTION f();\n",
    "07_rows": "SET search_path = pg_catalog, public;\nINSERT INTO items (user_id, m) VALUES (1, 'glad'), (1, 'sad');\n"
    "UPDATE users SET email = 'y';\nGRANT SELECT ON v TO PUBLIC;\nCOMMENT ON TABLE items IS 'it''s; theirs';\n",
    "08_more": "CREATE TABLE more (id integer PRIMARY KEY);\nINSERT INTO more VALUES (7);\n",
}


def write(folder: Path, files: dict[str, str], rollbacks: dict[str, str] | None = None) -> Path:
    folder.mkdir(exist_ok=True)
    for migration_id, text in files.items():
        (folder / f"{migration_id}.sql").write_text(text)
    for migration_id, text in (rollbacks or {}).items():
        (folder / f"{migration_id}.rollback.sql").write_text(text)
    return folder


def squash(database: Database, folder: Path, to: str, since: str | None = None, *, remove: bool = True) -> Squashed:
    files = read_migrations(folder)
    return squash_migrations(database, files, to, since=since, remove=remove, target=database)


@pytest.fixture
def twin(server: RunningServer, database: Database) -> Database:
    """Another empty database of this test's own."""
    other = server.database.with_name(f"{database.name}_twin")
    with server.database.connect() as connection:
        connection.execute(f"CREATE DATABASE {other.name}".encode())
    return other


def assert_alike(one: Database, other: Database, *tables: str) -> None:
    with one.connect() as a, other.connect() as b:
        assert compare_catalogs(read_catalog(a, privileges=True), read_catalog(b, privileges=True)) == ()
        for table in tables:
            query = f"SELECT t::text FROM {table} AS t ORDER BY 1".encode()
            assert a.execute(query).fetchall() == b.execute(query).fetchall()


def test_one_file_makes_what_seven_made(database: Database, twin: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "migrations", HISTORY)
    operations.migrate(database, read_migrations(folder))
    found = squash(database, folder, "07_rows")
    assert (found.way, found.reason, found.has_rollback, found.not_compared) == ("catalog", "", True, ())
    assert [(k.kind, k.location.line) for k in found.kept] == [
        ("rows", 2),
        ("rows", 2),
        ("rows", 3),
        ("privileges", 4),
    ]
    assert [k.statement for k in found.left_out] == ["VACUUM items"]
    files = read_migrations(folder)
    assert [m.id for m in files] == [found.id, "08_more"] and found.id == "07_squash-of-7"
    assert files.items[0].replaces == tuple(HISTORY)[:7]
    assert operations.migrate(twin, files).ids == (found.id, "08_more")
    assert_alike(database, twin, "users", "items", "more")
    assert operations.migrate(database, files).ids == ()  # taken as applied
    assert_alike(database, twin, "users", "items", "more")
    for one in (database, twin):
        assert operations.rollback(one, files, only=found.id).ids == (found.id,)
        with one.connect() as connection:
            left = "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relname !~ '^_' "
            assert connection.execute(left.encode() + b"AND relkind IN ('r', 'v', 'S')").fetchall() == [("more",)]
        assert operations.migrate(one, files, allow=(Allow.LATE,)).ids == (found.id,)


@pytest.mark.one_server
def test_a_part_in_the_middle_is_squashed_statement_by_statement(
    database: Database, twin: Database, tmp_path: Path
) -> None:
    backs = {"03_kinds": "DROP DOMAIN short;\nDROP TYPE mood;\n"}
    backs["04_items"] = "DROP VIEW v;\nALTER TABLE users DROP best;\nDROP TABLE items;\n"
    folder = write(tmp_path / "migrations", HISTORY, backs)
    operations.migrate(database, read_migrations(folder))
    found = squash(database, folder, "04_items", since="03")
    assert (found.way, found.replaces, found.has_rollback) == ("statements", ("03_kinds", "04_items"), True)
    files = read_migrations(folder)
    operations.migrate(twin, files)
    assert operations.migrate(database, files).ids == ()
    assert_alike(database, twin, "users", "items", "more")


@pytest.mark.one_server
def test_a_squash_can_be_squashed_again(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "migrations", HISTORY)
    operations.migrate(database, read_migrations(folder))
    squash(database, folder, "06_trigger")
    operations.migrate(database, read_migrations(folder))
    again = squash(database, folder, "08_more")
    assert set(HISTORY) < set(again.replaces)
    assert operations.migrate(database, read_migrations(folder)).ids == ()
    entries = operations.status(database, read_migrations(folder)).entries
    assert [(e.id, e.state) for e in entries] == [(again.id, State.APPLIED)]


ROWS = {
    "copy": ("CREATE TABLE r (id integer);\nCOPY r FROM stdin;\n3\n4\n\\.\nANALYZE r", (), "catalog"),
    "times": ("CREATE TABLE r (id integer, at timestamptz DEFAULT clock_timestamp())", ("public.r.at",), "catalog"),
    "made-before": ("CREATE TABLE r AS SELECT 7 AS id", (), "statements"),
    "in-do": ("DO $$BEGIN CREATE TABLE r (id integer); END$$", (), "statements"),
    "set-config": ("SELECT set_config('search_path', 'public', false);\nCREATE TABLE r (id integer)", (), "catalog"),
}


@pytest.mark.one_server
@pytest.mark.parametrize("case", ROWS)
def test_rows_are_the_same_though_the_catalog_says_nothing_of_them(
    database: Database, twin: Database, tmp_path: Path, case: str
) -> None:
    text, changing, way = ROWS[case]
    folder = write(
        tmp_path / "migrations",
        {"1_a": f"{text};\n", "2_b": "INSERT INTO r (id) VALUES (1), (2);\n", "3_c": "DELETE FROM r WHERE id = 2;\n"},
    )
    operations.migrate(database, read_migrations(folder))
    found = squash(database, folder, "3_c")
    assert (found.not_compared, found.way) == (changing, way)
    operations.migrate(twin, read_migrations(folder))
    with database.connect() as a, twin.connect() as b:
        query = "SELECT id FROM r ORDER BY id"
        assert a.execute(query).fetchall() == b.execute(query).fetchall()


@pytest.mark.one_server
def test_what_cannot_be_made_the_same_is_refused_and_nothing_written(database: Database, tmp_path: Path) -> None:
    counting = "INSERT INTO r SELECT count(*) FROM _yoyo_migration;\n"
    folder = write(tmp_path / "migrations", {"1_a": "CREATE TABLE r (id integer);\n", "2_b": counting})
    before = sorted(p.name for p in folder.iterdir())
    with pytest.raises(Refused, match="cannot be squashed") as caught:
        squash(database, folder, "2_b")
    assert "nothing was written" in caught.value.message
    for way in ("catalog", "statements"):
        assert f"written from the {way}: the rows of public.r" in caught.value.message
    assert sorted(p.name for p in folder.iterdir()) == before


@pytest.mark.one_server
@pytest.mark.parametrize("text", ["CREATE DATABASE nobody_asks", "CALL p()", "ALTER SYSTEM SET work_mem = '5MB'"])
def test_what_runs_in_no_transaction_is_refused(database: Database, tmp_path: Path, text: str) -> None:
    procedure = "CREATE PROCEDURE p() LANGUAGE plpgsql AS $$BEGIN CREATE TABLE r (); COMMIT; END$$;\n"
    alone = f"-- transactional: false\n{text};\n"
    folder = write(tmp_path / "migrations", {"1_a": procedure, "2_b": alone, "3_c": "CREATE TABLE c ();\n"})
    with pytest.raises(Refused, match="nothing was written"):
        squash(database, folder, "3_c")
    assert len(read_migrations(folder)) == 3
    with database.connect() as connection:
        connection.execute("DROP DATABASE IF EXISTS nobody_asks")


@pytest.mark.one_server
def test_rows_of_a_table_that_got_another_name_are_kept_with_every_statement(
    database: Database, twin: Database, tmp_path: Path
) -> None:
    files = {"1_a": "CREATE TABLE r (id integer);\nINSERT INTO r VALUES (1);\n", "2_b": "ALTER TABLE r RENAME TO s;\n"}
    folder = write(tmp_path / "migrations", files)
    operations.migrate(database, read_migrations(folder))
    found = squash(database, folder, "2_b")
    assert found.way == "statements" and 'relation "r" does not exist' in found.reason
    operations.migrate(twin, read_migrations(folder))
    assert_alike(database, twin, "s")


ENUM = "CREATE TYPE public.mood AS ENUM ('sad', 'it''s (so)');\nCREATE TABLE r (m mood);\nALTER TABLE r RENAME TO s;\n"


@pytest.mark.parametrize(
    ("added", "labels"),
    [
        ("ALTER TYPE mood ADD VALUE 'new'", ["sad", "it's (so)", "new"]),
        ("ALTER TYPE mood ADD VALUE 'new' BEFORE 'it''s (so)'", ["sad", "new", "it's (so)"]),
        ("ALTER TYPE \"public\".\"mood\" ADD VALUE IF NOT EXISTS 'new' AFTER 'sad'", ["sad", "new", "it's (so)"]),
        (
            "alter type MOOD add value 'more';\nALTER TYPE mood ADD VALUE 'new' BEFORE 'more'",
            ["sad", "it's (so)", "new", "more"],
        ),
        (
            (
                "ALTER TYPE mood RENAME TO old;\nCREATE TYPE mood AS ENUM ('a');\nALTER TABLE s ALTER m TYPE mood "
                "USING NULL;\nDROP TYPE old;\nALTER TYPE mood ADD VALUE 'new'"
            ),
            ["a", "new"],
        ),
    ],
)
def test_rows_may_hold_a_label_that_an_enum_got_later(
    database: Database, twin: Database, tmp_path: Path, added: str, labels: list[str]
) -> None:
    files = {
        "1_a": ENUM,
        "2_b": f"{added};\n",
        "3_c": "INSERT INTO s VALUES ('new');\nCREATE TABLE r ();\nDROP TABLE r;\n",
        "4_d": "ALTER TABLE s RENAME TO u;\n",
    }
    folder = write(tmp_path / "migrations", files)
    operations.migrate(database, read_migrations(folder))
    assert squash(database, folder, "4_d").way == "statements"
    operations.migrate(twin, read_migrations(folder))
    assert_alike(database, twin, "u")
    with twin.connect() as connection:
        row = connection.execute("SELECT enum_range(NULL::mood)::text[]").fetchone()
    assert row == (labels,)


@pytest.mark.one_server
@pytest.mark.parametrize("text", ["-- (write the SQL here)\n", "SELEC 1;\n", "DROP TABLE nowhere;\n"])
def test_what_is_wrong_with_a_later_file_is_said_of_that_file(database: Database, tmp_path: Path, text: str) -> None:
    folder = write(tmp_path / "m", {"01_a": "CREATE TABLE a ();\n", "02_b": "CREATE TABLE b ();\n", "03_c": text})
    with pytest.raises((BadMigrationFile, MigrationFailed)) as caught:
        squash(database, folder, "02_b")
    assert "03_c" in caught.value.message
    assert "/wfs" not in str(vars(caught.value))
    assert sorted(p.name for p in folder.iterdir()) == ["01_a.sql", "02_b.sql", "03_c.sql"]


def test_no_password_is_shown(database: Database, tmp_path: Path) -> None:
    name = f"r_{database.name}"[:60]
    made = f"CREATE ROLE {name};\n"
    secret = f"ALTER ROLE {name} PASSWORD 'hidden-one';\nSET password_encryption = 'scram-sha-256';\n"
    folder = write(tmp_path / "migrations", {"1_a": made, "2_b": secret, "3_c": "CREATE TABLE c ();\n"})
    ran = run("squash", "--to", "3_c", cwd=tmp_path, env={"DATABASE_URL": database.url})
    with database.connect() as connection:
        connection.execute(f"DROP ROLE IF EXISTS {name}".encode())
    assert "hidden-one" not in ran.out + ran.err
    assert f"(cluster): migrations/2_b.sql:1:1  ALTER ROLE {name}" in ran.out
    assert "hidden-one" in (folder / "3_squash-of-3.sql").read_text()


@pytest.mark.one_server
def test_a_file_that_was_edited_after_it_was_applied_is_not_squashed(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "migrations", HISTORY)
    operations.migrate(database, read_migrations(folder))
    (folder / "02_rename.sql").write_text(HISTORY["02_rename"] + "-- edited\n")
    with pytest.raises(Refused, match="has other texts of 02_rename"):
        squash(database, folder, "07_rows")


@pytest.mark.one_server
def test_what_depends_on_a_squashed_one_runs_after_it(database: Database, twin: Database, tmp_path: Path) -> None:
    files = {**HISTORY, "09_last": "-- depends: 04_items\nCREATE TABLE last ();\n"}
    folder = write(tmp_path / "migrations", files)
    operations.migrate(database, read_migrations(folder))
    found = squash(database, folder, "08_more")
    assert operations.migrate(twin, read_migrations(folder)).ids == (found.id, "09_last")
    assert operations.migrate(database, read_migrations(folder)).ids == ()


@pytest.mark.one_server
def test_one_migration_is_no_squash(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "migrations", HISTORY)
    with pytest.raises(Refused, match="not two migrations"):
        squash(database, folder, "01")


@pytest.mark.one_server
def test_the_command_says_what_is_kept_and_what_to_type(database: Database, tmp_path: Path) -> None:
    folder = write(tmp_path / "migrations", HISTORY)
    env = {"DATABASE_URL": database.url}
    ran = run("squash", "--to", "07", cwd=tmp_path, env=env)
    assert ran.code == 0, ran.err
    assert "7 migrations squashed into migrations/07_squash-of-7.sql" in ran.out
    assert (
        "kept, because no catalog shows it (rows): migrations/07_rows.sql:3:1  UPDATE users SET email = 'y'" in ran.out
    )
    assert "proven by replay: both make the same" in ran.out
    command = ran.out.splitlines()[-1].removeprefix("next: ")
    ran = run("migrate", cwd=tmp_path, env=env)
    assert ran.code == 3 and "still there" in ran.err and command in ran.err
    with pytest.raises(BadMigrationFile):
        read_migrations(folder)
    subprocess.run(command, shell=True, check=True, cwd=tmp_path)
    ran = run("migrate", "--format", "json", cwd=tmp_path, env=env)
    assert json.loads(ran.out)["applied"] == ["07_squash-of-7", "08_more"]


@pytest.mark.one_server
def test_a_squash_that_is_killed_leaves_the_old_files_or_a_folder_that_is_refused(
    database: Database, tmp_path: Path
) -> None:
    for number, pause_s in enumerate((0.3, 0.6, 0.9, 1.2, 1.5, 2.0)):
        folder = write(tmp_path / f"m{number}", HISTORY)
        words = ("squash", "--to", "07", "--remove", "--migrations", str(folder))
        process = subprocess.Popen(
            [sys.executable, "-m", "wflo_schema", *words],
            env={**os.environ, "DATABASE_URL": database.url},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(pause_s)
        process.send_signal(signal.SIGKILL)
        process.wait()
        try:
            ids = [m.id for m in read_migrations(folder)]
        except BadMigrationFile as error:
            assert "remove the old files: rm " in error.hint
        else:
            assert ids in (list(HISTORY), ["07_squash-of-7", "08_more"])

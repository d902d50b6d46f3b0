"""A scratch database is dropped: by its maker, or by the next one where the maker was killed; no other ever is."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.conftest import RunningServer
from tests.engine.test_faults import needs_pgbouncer, pgbouncer
from wflo_schema.check.verdict import check_drift
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_migrations
from wflo_schema.files.naming import new_migration
from wflo_schema.scratch.replay import (
    _NO_SESSION,
    _SESSIONS,
    PREFIX,
    _is_left,
    _new_name,
    replayed,
    scratch_database,
    scratch_databases,
)

pytestmark = pytest.mark.spread_over_servers


def names(database: Database) -> list[str]:
    with database.connect() as connection:
        text = "SELECT datname::text FROM pg_database WHERE datname LIKE 'wflo_schema_scratch%' ORDER BY 1"
        return [row[0] for row in connection.execute(text)]


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 90
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


def create(database: Database, name: str) -> None:
    with database.connect() as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))


def drop(database: Database, *dropped: str) -> None:
    with database.connect() as connection:
        for name in dropped:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_what_a_killed_run_left_is_dropped_by_the_next_once_nobody_is_in_it(database: Database, tmp_path: Path) -> None:
    (tmp_path / "01_t.sql").write_text("CREATE TABLE t (id integer);\nSELECT pg_sleep(300);\n")
    with database.connect() as connection:
        connection.execute("CREATE TABLE t (id integer)")
    words = ("adopt", "--database-url", database.url, "--migrations", str(tmp_path))
    process = subprocess.Popen([sys.executable, "-m", "wflo_schema", *words], stdout=subprocess.DEVNULL)
    asleep = "SELECT pid, datname FROM pg_stat_activity WHERE datname LIKE 'wflo_schema_scratch%' AND query ~ 'sleep'"
    with database.connect() as connection:
        until(lambda: connection.execute(asleep).fetchone() is not None)
        process.send_signal(signal.SIGKILL)
        process.wait()
        row = connection.execute(asleep).fetchone()
        assert row is not None
        with scratch_database(database):
            assert row[1] in names(database)  # its server process is at work: it is in use
        connection.execute("SELECT pg_terminate_backend(%s)", [row[0]])
        until(lambda: connection.execute(asleep).fetchone() is None)
    with scratch_database(database):
        assert row[1] not in names(database)
    assert names(database) == []


def test_what_is_in_use_or_was_not_made_here_is_left_alone(server: RunningServer, database: Database) -> None:
    dead = _new_name(12345)
    digit = "0" if dead[-1] != "0" else "1"
    strange = (f"{PREFIX}mine", f"{PREFIX}0123456789ab", dead[:-1] + digit)
    connected = _new_name(23456)
    for name in (*strange, connected, dead):
        create(database, name)
    with database.with_name(connected).connect(), scratch_database(database) as alive:
        with scratch_database(database) as other:
            assert names(database) == sorted((*strange, connected, alive.name, other.name))
    drop(database, *strange, connected)


def test_a_lost_connection_gives_the_database_up_to_the_next(database: Database) -> None:
    own = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND classid::bigint = %s"
    with scratch_database(database) as made:
        with database.connect() as connection:
            connection.execute(own, [_SESSIONS])
        assert names(database) == [made.name]
    assert names(database) == []


def test_another_roles_left_over_is_left_to_it(database: Database) -> None:
    left = _new_name(34567)
    create(database, left)
    with database.connect() as connection:
        connection.execute("DROP ROLE IF EXISTS maker")
        connection.execute("CREATE ROLE maker LOGIN CREATEDB")
    with scratch_database(database.with_parameters(user="maker")) as made:
        assert names(database) == sorted((left, made.name))
    with scratch_database(database) as made:
        assert names(database) == [made.name]
    with database.connect() as connection:
        connection.execute("DROP ROLE maker")


@pytest.mark.parametrize(("age_s", "is_left"), [(60, False), (90_000, True)])
def test_behind_a_pooler_age_alone_decides(monkeypatch: pytest.MonkeyPatch, age_s: int, is_left: bool) -> None:
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now - age_s)
    name = _new_name(_NO_SESSION)
    monkeypatch.setattr(time, "time", lambda: now)
    assert _is_left(name, []) is is_left


@needs_pgbouncer
def test_behind_a_pooler_each_of_two_runs_has_databases_of_its_own(database: Database) -> None:
    with pgbouncer(database, "transaction", 5) as pooled:
        with scratch_databases(pooled) as first, scratch_databases(pooled) as second:
            made = [one.name for scratches in (first, second, first) for one in scratches.new(3)]
            assert sorted(set(made)) == names(database)
            assert len(made) == 9
        assert names(database) == []


def test_what_somebody_looks_into_is_not_copied(database: Database) -> None:
    with scratch_databases(database) as scratches:
        both = scratches.new(2)
        with both[1].connect():
            assert scratches.copies(both) is None
    assert names(database) == []


@pytest.mark.parametrize(
    ("path", "schema"),
    [(None, "wu"), ("app, public", "app"), ('"A,""b", public', 'A,"b'), ("APP", "app"), ("other, public", "public")],
)
def test_migrations_find_the_schema_that_they_find_in_the_target(
    server: RunningServer, database: Database, tmp_path: Path, path: str | None, schema: str
) -> None:
    files = tmp_path / "migrations"
    files.mkdir()
    (files / "01_t.sql").write_text("CREATE TABLE t (id integer PRIMARY KEY);\nCREATE TABLE public.u (a integer);\n")
    migrations = read_migrations(files)
    with database.connect() as connection:
        role = "CREATE ROLE wu SUPERUSER LOGIN"
        connection.execute(f"DO $$ BEGIN {role}; EXCEPTION WHEN duplicate_object THEN NULL; END $$".encode())
        if schema != "public":
            connection.execute(sql.SQL("CREATE SCHEMA {} AUTHORIZATION wu").format(sql.Identifier(schema)))
        if path:
            connection.execute(f"ALTER DATABASE {database.name} SET search_path TO {path}".encode())
    target = database.with_parameters(user="wu")
    operations.migrate(target, migrations)
    wanted = replayed(target, migrations)
    assert wanted.find("table", schema, "t") is not None
    assert [(f.object, f.have, f.want) for f in check_drift(target, wanted)] == []
    with target.connect() as connection:
        connection.execute("DROP TABLE public.u")
    assert [f.object for f in check_drift(target, wanted)] == ["public.u"]


def test_a_scratch_database_sorts_texts_as_the_target_does(server: RunningServer, database: Database) -> None:
    with database.connect() as connection:
        like = (
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
            if server.version >= "17"
            else "LOCALE_PROVIDER icu ICU_LOCALE 'en'"
            if server.version >= "15"
            else "ENCODING 'LATIN1'"
        )
        name = f"{database.name}_like"
        text = f"CREATE DATABASE {name} TEMPLATE template0 {like} LC_COLLATE 'C' LC_CTYPE 'C'"
        connection.execute(text.encode())
    asked = (
        "SELECT to_jsonb(d) - array(SELECT jsonb_object_keys(to_jsonb(d)) EXCEPT SELECT unnest("
        "'{encoding,datlocprovider,datcollate,datctype,daticulocale,datlocale,daticurules}'::text[])), 'a' < 'M'"
        " FROM pg_database AS d WHERE datname = current_database()"
    )
    target = database.with_name(name)
    try:
        with scratch_database(target) as made, made.connect() as ours, target.connect() as theirs:
            assert ours.execute(asked).fetchone() == theirs.execute(asked).fetchone()
    finally:
        drop(database, name)


def test_the_comment_says_who_made_it_and_nobody_waits_for_template1(database: Database) -> None:
    with scratch_database(database) as made, made.connect() as connection:
        row = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = current_database()"
        ).fetchone()
        assert row is not None and f'"about": "process {os.getpid()} on ' in row[0]
        busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'template1'"
        assert connection.execute(busy).fetchone() == (0,)


def test_a_failure_to_drop_does_not_hide_the_first_error(database: Database) -> None:
    with pytest.raises(ValueError, match="first"), scratch_database(database) as made:
        drop(database, made.name)
        raise ValueError("first")
    assert names(database) == []
    with pytest.raises(psycopg.Error), scratch_database(database) as made, made.connect() as connection:
        connection.execute("SELECT 1 / 0")
    assert names(database) == []


def test_a_file_in_which_nothing_is_written_yet_is_no_migration_of_a_replay_either(
    database: Database, tmp_path: Path
) -> None:
    new_migration(tmp_path, "add a column")
    with pytest.raises(BadMigrationFile, match="nothing is written in it yet"):
        replayed(database, read_migrations(tmp_path))

"""An application waits for its schema; a database is made where it is not there."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT, count, run, write
from wflo_schema.connect.database import Database
from wflo_schema.connect.maintenance import connect_for_making

pytestmark = pytest.mark.one_server


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "migrations").mkdir()
    write(tmp_path, **{"1_a": "CREATE TABLE a (id int);", "2_b": "CREATE TABLE b (id int);"})
    return tmp_path


@pytest.fixture
def missing(database: Database) -> Iterator[Database]:
    """A database that is not there; dropped afterwards."""
    found = database.with_name(f"missing {secrets.token_hex(4)}")
    yield found
    with connect_for_making(database) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{found.name}" WITH (FORCE)'.encode())


def test_a_migrated_database_is_not_waited_for(project: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=project, env=env).code == 0
    ran = run("wait", "--applied", "--timeout", "60s", cwd=project, env=env)
    assert (ran.code, ran.out.splitlines()[-1], ran.err) == (0, "2 applied, 0 pending", "")


def test_what_stays_pending_is_a_no_and_says_what(project: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    assert run("migrate", "--to", "1_a", cwd=project, env=env).code == 0
    ran = run("wait", "--applied", "--timeout", "300ms", cwd=project, env=env)
    assert (ran.code, ran.out.splitlines()[-1]) == (1, "1 applied, 1 pending")
    assert ran.err == "1 migration pending: 2_b; waiting up to 300ms\n"
    assert count(database, "SELECT count(*) FROM pg_class WHERE relname = 'b'") == 0
    assert run("wait", cwd=project, env=env).code == 0, "without --applied the server alone is waited for"


def test_a_hook_that_an_earlier_run_left_undone_is_waited_for(project: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    (project / "migrations" / "hooks").mkdir()
    hook = project / "migrations" / "hooks" / "after-all.sql"
    hook.write_text("SELECT nothing_there;")
    assert run("migrate", cwd=project, env=env).code == 3
    ran = run("wait", "--applied", "--timeout", "300ms", cwd=project, env=env)
    assert (ran.code, ran.err) == (1, "1 hook pending: hooks/after-all; waiting up to 300ms\n")
    checked = run("check", "--only", "ledger", cwd=project, env=env)
    assert checked.code == 0 and "hooks/after-all was not run yet behind what is applied" in checked.out
    hook.write_text("SELECT 1;")
    assert run("migrate", cwd=project, env=env).code == 0
    assert run("wait", "--applied", "--timeout", "60s", cwd=project, env=env).code == 0


def test_database_schema_and_migrations_are_waited_for_until_they_come(project: Path, missing: Database) -> None:
    env = {**os.environ, "DATABASE_URL": missing.url, "PYTHONPATH": str(ROOT)}
    words = ("wait", "--applied", "--schema", "app", "--timeout", "120s")
    waiting = subprocess.Popen(
        [sys.executable, "-m", "wflo_schema", *words], cwd=project, env=env, stderr=subprocess.PIPE, text=True
    )
    timer = threading.Timer(120, waiting.kill)
    timer.start()
    assert waiting.stderr is not None
    try:
        assert f"there is no database {missing.name}" in waiting.stderr.readline()
        create = ("migrate", "--create-database", "--to", "1_a")
        ran = run(*create, cwd=project, env={"DATABASE_URL": missing.url})
        assert ran.code == 0, ran.err
        assert ran.err.startswith("created the database: ")
        assert "there is no schema app" in waiting.stderr.readline()
        more = ("migrate", "--schema", "app", "--create-schema", "--create-database")
        assert run(*more, "--to", "1_a", cwd=project, env={"DATABASE_URL": missing.url}).code == 0
        while "1 migration pending: 2_b" not in (line := waiting.stderr.readline()):
            assert "pending: 1_a, 2_b" in line, "it may have looked in between"
        assert run(*more, cwd=project, env={"DATABASE_URL": missing.url}).code == 0
        assert waiting.wait(60) == 0
    finally:
        timer.cancel()
        waiting.kill()
        waiting.wait()
        waiting.stderr.close()


def test_what_does_not_come_is_said_in_the_end(project: Path, missing: Database) -> None:
    env = {"DATABASE_URL": missing.url, "WFLO_SCHEMA_WAIT": "400ms"}
    for words, time in (("--timeout", "300ms"), "300ms"), ((), "400ms"):
        ran = run("wait", "--applied", *words, cwd=project, env=env)
        assert (ran.code, ran.out) == (3, "")
        assert f"; waiting up to {time}\nerror: there is no database {missing.name}" in ran.err
        assert "--create-database" in ran.err
    env = {"DATABASE_URL": missing.with_parameters(host="127.0.0.1", port="1").url}
    assert run("wait", "--timeout", "300ms", cwd=project, env=env).code == 3


def test_a_database_that_cannot_be_made_is_said_to(project: Path, missing: Database) -> None:
    role = f"weak_{missing.name.split()[-1]}"
    with connect_for_making(missing) as connection:
        connection.execute(f"CREATE ROLE {role} LOGIN".encode())
    try:
        env = {"DATABASE_URL": missing.with_parameters(user=role).url}
        ran = run("migrate", "--create-database", "--wait", "5s", cwd=project, env=env)
        assert (ran.code, ran.out) == (3, "")
        assert "permission denied to create database" in ran.err
    finally:
        with connect_for_making(missing) as connection:
            connection.execute(f"DROP ROLE {role}".encode())


def test_two_at_once_make_one_database(project: Path, missing: Database) -> None:
    env = {**os.environ, "DATABASE_URL": missing.url, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "wflo_schema", "migrate", "--create-database"]
    both = [subprocess.Popen(command, cwd=project, env=env, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    told = [process.communicate(timeout=120)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], told
    assert sum("created the database" in text for text in told) == 1
    assert count(missing, "SELECT count(*) FROM _yoyo_migration") == 2


def test_what_is_for_after_the_deploy_is_not_waited_for_before_it(project: Path, database: Database) -> None:
    env = {"DATABASE_URL": database.url}
    write(project, **{"2_b": "-- phase: after-deploy\nCREATE TABLE b (id int);"})
    words = ("wait", "--applied", "--timeout", "300ms")
    assert run(*words, "--phase", "before-deploy", cwd=project, env=env).code == 1
    assert run("migrate", "--phase", "before-deploy", cwd=project, env=env).code == 0
    ran = run(*words, "--phase", "before-deploy", cwd=project, env=env)
    assert (ran.code, ran.out.splitlines()[-1], ran.err) == (0, "1 applied, 1 pending (all after-deploy)", "")
    for phase in ((), ("--phase", "after-deploy")):
        ran = run(*words, *phase, cwd=project, env=env)
        assert (ran.code, ran.err) == (1, "1 migration pending: 2_b; waiting up to 300ms\n")
    (project / "wflo-schema.toml").write_text(
        "".join(f'[{command}]\nphase = "before-deploy"\n' for command in ("wait", "check", "migrate"))
    )
    assert run(*words, cwd=project, env=env).code == 0
    assert run("check", "--only", "ledger", cwd=project, env=env).code == 0
    assert run("migrate", cwd=project, env=env).out.endswith("migration is applied; left for after-deploy: 2_b\n")

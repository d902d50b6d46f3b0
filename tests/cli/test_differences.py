"""`wflo-schema diff`: SQL on stdout, words on stderr, its exit codes, and a question about a rename on a terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.test_commands import run
from tests.conftest import RunningServer
from wflo_schema.connect.database import Database

pytestmark = pytest.mark.spread_over_servers


@pytest.fixture
def shop(tmp_path: Path, database: Database) -> dict[str, str]:
    folder = tmp_path / "migrations"
    folder.mkdir()
    (folder / "0001-a.sql").write_text("CREATE TABLE a (id integer, name text);\n")
    (folder / "0001-a.rollback.sql").write_text("DROP TABLE a;\n")
    env = {"DATABASE_URL": database.url}
    assert run("migrate", cwd=tmp_path, env=env).code == 0
    return env


def change(database: Database, text: str) -> None:
    with database.connect() as connection:
        connection.execute(text.encode())


def test_diff_exits_with_0_where_there_is_nothing_and_with_1_where_there_is(
    tmp_path: Path, database: Database, shop: dict[str, str]
) -> None:
    ran = run("diff", cwd=tmp_path, env=shop)
    assert (ran.code, ran.err) == (0, "") and ran.out.startswith("-- nothing to write: ")
    change(database, "ALTER TABLE a ADD weight integer, DROP name")
    ran = run("diff", cwd=tmp_path, env=shop)
    assert ran.code == 1
    assert "-- loses data: what public.a.name holds\nALTER TABLE public.a DROP COLUMN name;\n" in ran.out
    assert "\n-- its rollback\n\n-- -- loses data: what public.a.weight holds\n-- ALTER TABLE public.a DROP" in ran.out
    assert (
        ran.err
        == "2 statements; 1 loses data: what public.a.name holds; proven in a scratch database, there and back\n"
    )
    assert sorted(p.name for p in (tmp_path / "migrations").iterdir()) == ["0001-a.rollback.sql", "0001-a.sql"]


def test_what_is_written_is_named_with_the_next_command_which_records_it(
    tmp_path: Path, database: Database, shop: dict[str, str]
) -> None:
    change(database, "ALTER TABLE a ADD weight integer")
    ran = run("diff", "--write", "--name", "add weights", "--format", "json", cwd=tmp_path, env=shop)
    assert ran.code == 0
    written = json.loads(ran.out)
    assert written["is_proven"] is True
    assert all((tmp_path / path).is_file() for path in written["paths"])
    step = written["next_step"].removeprefix("wflo-schema ").split()
    assert run(*step, cwd=tmp_path, env=shop).code == 0
    assert run("diff", cwd=tmp_path, env=shop).code == 0


@pytest.mark.parametrize("words", [("--write",), ("--name", "x"), ("--write", "--name", "x", "--from", "database")])
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path, shop: dict[str, str], words: tuple[str, ...]
) -> None:
    assert run("diff", *words, cwd=tmp_path, env=shop).code == 2


def test_snapshots_are_compared_without_a_server(tmp_path: Path, database: Database, shop: dict[str, str]) -> None:
    (tmp_path / "old.sql").write_text(run("dump", cwd=tmp_path, env=shop).out)
    change(database, "CREATE VIEW v AS SELECT id FROM a")
    (tmp_path / "new.sql").write_text(run("dump", cwd=tmp_path, env=shop).out)
    ran = run("diff", "--from", "old.sql", "--to", "new.sql", cwd=tmp_path)
    assert ran.code == 1
    assert "CREATE VIEW public.v AS" in ran.out
    assert "not proven, as no server was named" in ran.err
    assert run("diff", "--from", "new.sql", "--to", "new.sql", cwd=tmp_path).code == 0
    missing = run("diff", "--from", "old.sql", "--to", "no.sql", cwd=tmp_path)
    assert missing.code == 3 and "no.sql" in missing.err


def on_terminal(answer: str, cwd: Path, env: dict[str, str]) -> tuple[int, str, str]:
    """Exit code, stdout, and what the terminal showed, of `diff` when a person gives this answer."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "wflo_schema", "diff"],
        cwd=cwd,
        env={**os.environ, **env},
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
    )
    os.close(theirs)
    os.write(ours, answer.encode())
    out, _ = process.communicate(timeout=120)
    shown = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # nobody writes to it any more
            break
        if not part:
            break
        shown += part
    os.close(ours)
    return process.returncode, out.decode(), shown.decode()


def test_a_person_is_asked_what_was_renamed(tmp_path: Path, database: Database, shop: dict[str, str]) -> None:
    change(database, "ALTER TABLE a RENAME name TO title")
    code, out, shown = on_terminal("1\n", tmp_path, shop)
    assert code == 1
    assert "ALTER TABLE public.a RENAME COLUMN name TO title;" in out
    assert "column public.a.name (text) is gone, and public.a.title is new" in shown
    assert "--rename public.a.name=title" in shown
    code, out, _ = on_terminal("d\n", tmp_path, shop)
    assert code == 1
    assert "ALTER TABLE public.a DROP COLUMN name;" in out
    code, out, shown = on_terminal("\x04", tmp_path, shop)
    assert (code, out) == (3, "")
    assert "say it with --rename or --drop" in shown


_BY_HAND = """
    CREATE TABLE "z\nDROP TABLE public.a; --" (a integer); CREATE TABLE t (a integer);
    CREATE FUNCTION b() RETURNS SETOF t LANGUAGE sql AS 'SELECT a FROM t'; CREATE VIEW v AS SELECT a FROM b();
    CREATE PROCEDURE a_clear() LANGUAGE sql AS 'DELETE FROM t';
    CREATE FUNCTION each(n integer) RETURNS integer LANGUAGE sql AS 'SELECT n';
    CREATE FUNCTION other(n integer) RETURNS integer LANGUAGE sql AS 'SELECT each(n)';
    CREATE OR REPLACE FUNCTION each(n integer) RETURNS integer LANGUAGE sql AS 'SELECT other(n)';
    ALTER TABLE a DROP name;
"""


def test_what_is_printed_runs_in_psql_with_and_without_a_transaction_and_one_by_one(
    tmp_path: Path, database: Database, shop: dict[str, str], server: RunningServer
) -> None:
    change(database, _BY_HAND)
    printed = run("diff", cwd=tmp_path, env=shop).out
    assert printed.index("PROCEDURE public.a_clear") > printed.index("CREATE TABLE public.t")
    steps = json.loads(run("diff", "--format", "json", cwd=tmp_path, env=shop).out)
    assert steps["is_proven"]
    (tmp_path / "it.sql").write_text(printed, newline="")

    def run_each(statements: list[dict[str, str]]) -> None:
        for one in statements:
            change(database, one["text"])

    words = [str(server.psql), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "it.sql", database.url]
    for more in ([], ["-1"]):
        run_each(steps["rollback"])
        assert run("diff", cwd=tmp_path, env=shop).code == 0
        done = subprocess.run([*words, *more], cwd=tmp_path, capture_output=True, text=True, timeout=120)
        assert (done.returncode, done.stderr) == (0, "")
        assert run("diff", cwd=tmp_path, env=shop).out == printed
    run_each(steps["rollback"])
    run_each(steps["statements"])
    assert run("diff", cwd=tmp_path, env=shop).out == printed
    assert run("diff", "--write", "--name", "all of it", cwd=tmp_path, env=shop).code == 0


def test_help_names_the_default_format(tmp_path: Path) -> None:
    assert "default: sql" in " ".join(run("diff", "--help", cwd=tmp_path).out.split())
    assert "default: text" in " ".join(run("check", "--help", cwd=tmp_path).out.split())

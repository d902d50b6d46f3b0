"""Every command meets every cut, every signal and every stream that is closed or full: no traceback, and the truth."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RunningServer
from tests.engine.test_faults import OURS, choose_seed, do, one, wait_until, write
from tests.forks import Command
from tests.proxy import Counts, Cut, Direction, Proxy
from wflo_schema.connect.database import Database

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.spread_over_servers

# Every command that connects, and whether it changes what the next one finds.
COMMANDS = {
    "status": "status",
    "plan": "plan",
    "check": "check",
    "check rows": "check --rows",
    "check drift": "check --drift",
    "dump": "dump --with-ledger",
    "freeze": "contract freeze",
    "adopt": "adopt",
    "baseline": "baseline --to 20251110_03",
    "test-db": "test-db",
    "test-db keep": "test-db --keep",
    "list": "test-db list",
    "prune": "test-db prune",
    "migrate": "migrate",
    "rollback": "rollback -n 0",
}


@pytest.fixture(scope="module")
def applied(server: RunningServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Database, Path]]:
    """A database in which wflo's migrations are applied, and a folder with them in it."""
    folder = tmp_path_factory.mktemp("applied")
    shutil.copytree(ROOT / "migrations", folder / "migrations")
    name = f"faults_{os.getpid()}_{server.version}"
    do(server.database, f"CREATE DATABASE {name}")
    database = server.database.with_name(name).with_parameters(sslmode="disable", gssencmode="disable")
    code, _, err = start(database, folder, "migrate").finish()
    assert code == 0, err
    yield database, folder
    for made in (name, f"{name}_test"):
        do(server.database, f"DROP DATABASE IF EXISTS {made} WITH (FORCE)")


def start(database: Database, folder: Path, words: str) -> Command:
    return Command(*words.split(), cwd=folder, env={**os.environ, "DATABASE_URL": database.url})


# the connection is cut


@pytest.mark.parametrize("name", COMMANDS)
def test_cut_of_any_connection_after_any_message_is_one_clear_error(
    applied: tuple[Database, Path], name: str, is_whole: bool
) -> None:
    """Or no error, where what was cut is not needed any more; and never a no."""
    database, folder = applied

    def run(cut: Cut | None) -> tuple[int, str, list[Counts]]:
        with Proxy("127.0.0.1", int(database.parameters["port"]), cut=cut) as proxy:
            through = database.with_parameters(port=str(proxy.port))
            code, out, err = start(through, folder, COMMANDS[name]).finish()
        assert "Traceback" not in err and "bug" not in err and "ignored" not in err, f"{cut}: {err}"
        return code, out + err, proxy.connections

    clean, _, connections = run(None)
    places = [
        Cut(direction, after, connection=number)
        for number, counts in enumerate(connections)
        for direction in Direction
        for after in range((counts.to_server if direction == Direction.TO_SERVER else counts.to_client) + 1)
    ]
    chosen = places if is_whole else choose_seed()[1].sample(places, min(8, len(places)))
    for cut in chosen:
        code, said, _ = run(cut)
        assert code in (clean, 3), f"{cut}: {said}"
        if code == 3:
            assert "connection" in said or "server" in said, f"{cut}: {said}"
            assert "hint: " in said or "help: " in said, f"{cut}: {said}"
    print(f"{name}: cut at {len(chosen)} of {len(places)} places")


# signals

# It is told when all is done and Python ends, and then waits to be stopped.
ENDING = """
import atexit, os
from wflo_schema.cli.commands import main
def end():
    os.write(1, b"ending")
    os.read(0, 1)
atexit.register(end)
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_signals_that_come_when_all_is_done_and_said_change_nothing(tmp_path: Path, number: signal.Signals) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    words = [sys.executable, "-c", ENDING, "--version"]
    with subprocess.Popen(
        words, cwd=tmp_path, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        said = b""
        while not said.endswith(b"ending"):
            said += process.stdout.read(1)
        process.send_signal(number)
        time.sleep(1.5)  # from then on a second one would end a command on the spot
        process.send_signal(number)
        _, err = process.communicate(timeout=60)  # ends what it reads, and so it
    assert (process.returncode, err) == (0, b"")


# What ``python -m wflo_schema`` does, from its first statement.
BEGIN = """
import os, signal
from wflo_schema import __main__ as command
signal.signal(signal.SIGINT, command._interrupted)
os.write(1, b"x")
command.main()
"""


@pytest.mark.parametrize("name", COMMANDS)
def test_two_signals_close_together_end_a_command_as_the_first_would(
    applied: tuple[Database, Path], name: str, is_whole: bool
) -> None:
    """At any moment, from the first import to the exit."""
    database, folder = applied
    _, chance = choose_seed()
    env = {**os.environ, "PYTHONPATH": str(ROOT), "DATABASE_URL": database.url}
    words = [sys.executable, "-c", BEGIN, *COMMANDS[name].split()]
    longest_s = 0.5
    for _ in range(100 if is_whole else 4):
        pair = [chance.choice((signal.SIGINT, signal.SIGTERM)) for _ in range(2)]
        began = time.monotonic()
        delay_s, gap_s = chance.uniform(0.0, longest_s), chance.uniform(0.0, 0.03)
        process = subprocess.Popen(words, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(delay_s)
        process.send_signal(pair[0])
        time.sleep(gap_s)
        process.send_signal(pair[1])
        _, err = process.communicate(timeout=60)
        said = (
            f"{pair[0].name} after {delay_s:.3f} s, {pair[1].name} {gap_s:.3f} s later: {process.returncode}: {err!r}"
        )
        assert b"Traceback" not in err and b"ignored" not in err and b"bug" not in err, said
        # either is the first, where both came within one step of Python; while modules are imported SIGTERM ends the
        # process; or the command had ended before
        assert process.returncode in (128 + pair[0], 128 + pair[1], -signal.SIGTERM, 0), said
        if process.returncode == 0:
            longest_s = time.monotonic() - began


def test_signal_while_a_big_file_is_read_ends_the_run_before_it_is_read(database: Database, tmp_path: Path) -> None:
    (tmp_path / "migrations").mkdir()
    (tmp_path / "migrations" / "1_a.sql").write_text("SELECT 1;\n" * 400_000)
    for _ in range(5):
        run = start(database, tmp_path, "migrate")
        wait_until(lambda: one(database, OURS) == (1,), "the connection")
        run.send_signal(signal.SIGINT)
        code, out, err = run.finish(600)
        if one(database, "SELECT to_regclass('_yoyo_migration') IS NULL") == (True,):
            break
        do(database, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")  # it was read before we looked
    else:
        raise AssertionError(f"read to its end each time: {err}")
    assert (code, out) == (130, "") and "nothing was under way" in err, err


# streams


def shell(script: str, folder: Path, database: Database) -> tuple[int, str]:
    """What bash makes of it, where ``$run`` is the command: the exit code, and stderr."""
    env = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database.url,
        "run": f"{sys.executable} -m wflo_schema",
    }
    done = subprocess.run(["bash", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=120)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stderr


def run_without_reader(*words: str, cwd: Path, env: dict[str, str]) -> tuple[int, str]:
    """The exit code of a command whose stdout leads into a pipe that nobody reads any more, and its stderr."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "wflo_schema", *words],
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(ROOT), **env},
            stdout=theirs,
            stderr=subprocess.PIPE,
            text=True,
        )
    finally:
        os.close(theirs)
    return done.returncode, done.stderr


def test_full_disk_behind_stdout_does_not_hide_what_was_done(database: Database, tmp_path: Path) -> None:
    folder = tmp_path
    write(folder / "migrations", {"1_a": "SELECT 1", "2_b": "SELECT 2"}, {"1_a": "SELECT 1", "2_b": "SELECT 2"})
    full = "could not be written to stdout: No space left on device"
    for words, done in (
        ("migrate", ": 1_a, 2_b; but"),
        ("migrate --format json", "nothing to do"),
        ("rollback -n 2", ": 2_b, 1_a; but"),
        ("baseline --to 2_b --unverified", "recorded: 1_a, 2_b; but"),
        ("test-db", "was made anew"),
        ("test-db --keep", "was brought up to date"),
        ("new 'a column'", "written: migrations/"),
        ("status", "the answer"),
        ("check --only ledger", "the answer"),
        ("dump", "the answer"),
    ):
        code, said = shell(f"$run {words} >/dev/full", folder, database)
        assert code == 3 and full in said and done in said, f"{words}: {said}"
    do(database.with_name("postgres"), f"DROP DATABASE {database.name}_test WITH (FORCE)")


def test_folder_that_was_removed_is_named_and_no_matter_where_none_is_needed(
    applied: tuple[Database, Path], tmp_path: Path
) -> None:
    database, folder = applied
    gone = f"mkdir -p {tmp_path}/gone; cd {tmp_path}/gone; rmdir ../gone; $run "
    code, said = shell(f"{gone} server status", folder, database)
    assert (code, said.splitlines()[0]) == (3, "error: cannot go on: the current folder has been removed")
    code, said = shell(f"{gone} new a", folder, database)
    assert code == 3 and "cannot make the folder migrations" in said and "--migrations" in said
    for words in ("status", "migrate", "plan"):
        assert shell(f"{gone} {words} --migrations {folder}/migrations", folder, database)[0] == 0, words


@pytest.mark.parametrize("words", ["--help", "--version", "check --help", "server --help", "status", "migrate", "dump"])
def test_reader_that_goes_away_is_the_same_for_all(applied: tuple[Database, Path], words: str) -> None:
    database, folder = applied
    assert run_without_reader(*words.split(), cwd=folder, env={"DATABASE_URL": database.url}) == (141, "")

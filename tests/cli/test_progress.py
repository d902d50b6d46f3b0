"""What a person and a log see while a run is at work."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from tests.cli.test_commands import ROOT
from tests.engine.test_faults import do, is_running, is_waiting, wait_until, write
from wflo_schema.cli.progress import Display
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.engine.events import Begun, Blocker, Done, Event, Running, Waiting
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow
from wflo_schema.errors import Interrupted
from wflo_schema.files.folder import read_migrations

pytestmark = pytest.mark.one_server

BLOCKER = Blocker(7, "ann", "psql", "idle in transaction", 1.0, "SELECT 1", "t")


@pytest.mark.parametrize("format_", ["text", "json"])
def test_without_a_terminal_a_line_comes_now_and_then(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str], format_: str
) -> None:
    folder = write(tmp_path / "m", {"1_a": "SELECT 1", "2_b": "SELECT 1; SELECT pg_sleep(60)"})
    stop = Stop()
    told: list[Running] = []

    def run() -> None:
        with Display(format_, every_s=0.2) as display, pytest.raises(Interrupted):

            def notify(event: Event) -> None:
                display(event)
                if isinstance(event, Running) and event.elapsed_s:
                    told.append(event)

            operations.migrate(database, read_migrations(folder), notify=notify, stop=stop)

    thread = threading.Thread(target=run)
    thread.start()
    wait_until(lambda: is_running(database, "pg_sleep(60)") and len(told) > 1, "the second file")
    stop.request(2)
    thread.join()
    out, err = capsys.readouterr()
    assert "  2_b is running (" in err and "): statement 2 of 2" in err
    assert ("applied 1_a" in out) == (format_ == "text") and "running" not in out


def test_lines_are_as_far_apart_as_was_asked(capsys: pytest.CaptureFixture[str]) -> None:
    with Display("json", every_s=3600.0) as display:
        display(Begun("db", "public", "18.6", "apply", 2, "migrations"))
        for elapsed_s in (0.0, 1.0, 5.0):
            display(Running("1_a", 1, 2, elapsed_s))
        display(Done("1_a", "apply", 1.0, 1, 1, 2))
    assert capsys.readouterr() == ("", "")
    with Display("json", every_s=0.0) as display:
        for elapsed_s in (0.0, 1.0, 5.0):
            display(Running("1_a", 1, 2, elapsed_s))
    assert capsys.readouterr().err == "  1_a is running (1.0 s)\n  1_a is running (5.0 s)\n"


def test_who_is_waited_for_is_said_at_once_and_then_now_and_then(capsys: pytest.CaptureFixture[str]) -> None:
    with Display("text", every_s=3600.0) as display:
        for waited_s in (0.5, 1.5, 2.5):
            display(Waiting("1_a", (BLOCKER,), waited_s))
        display(Waiting("2_b", (BLOCKER,), 0.5))
    said = capsys.readouterr().err.splitlines()
    assert [line.split(",")[0] for line in said] == [
        "  1_a waits for a lock on t (0.5 s)",
        "  2_b waits for a lock on t (0.5 s)",
    ]
    with Display("text", every_s=0.0) as display:
        for waited_s in (0.5, 1.5):
            display(Waiting("1_a", (BLOCKER,), waited_s))
    assert len(capsys.readouterr().err.splitlines()) == 2


def test_run_that_waits_for_a_lock_goes_on_saying_so(
    database: Database, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    do(database, "CREATE TABLE t (n int)")
    folder = write(tmp_path / "m", {"1_a": "ALTER TABLE t ADD m int"})
    lines: list[Waiting] = []

    def run() -> None:
        with Display("json", every_s=0.1) as display:

            def notify(event: Event) -> None:
                display(event)
                if isinstance(event, Waiting):
                    lines.append(event)

            operations.migrate(
                database,
                read_migrations(folder),
                allow=[Allow.NOT_EMPTY],
                notify=notify,
                locks=LockOptions(timeout_ms=0),
            )

    with database.connect(autocommit=False) as holder:
        holder.execute("LOCK TABLE t IN ACCESS SHARE MODE")
        thread = threading.Thread(target=run)
        thread.start()
        wait_until(lambda: is_waiting(database) and len(lines) > 2, "some lines")
    thread.join()
    out, err = capsys.readouterr()
    assert out == "" and err.count("  1_a waits for ") >= 3


# A statement that ends once somebody opens the gate.
GATE = "DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM gate) LOOP PERFORM pg_sleep(0.1); END LOOP; END $$"


def on_a_terminal(term: str, database: Database, folder: Path, *, until: str, then_s: float = 0.0) -> str:
    """What a terminal of this kind is sent by `migrate`; the gate is opened ``then_s`` after it has this text."""
    ours, theirs = pty.openpty()
    shown = bytearray()
    words = ["migrate", "--allow", "not-empty"]
    running = subprocess.Popen(
        [sys.executable, "-m", "wflo_schema", *words],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "COLUMNS": "100",
            "TERM": term,
            "DATABASE_URL": database.url,
        },
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
    )
    os.close(theirs)
    is_open = False
    with contextlib.suppress(OSError):  # the end of a terminal that nobody writes to any more
        while chunk := os.read(ours, 65536):
            shown += chunk
            if not is_open and until in shown.decode("utf-8", "replace"):
                time.sleep(then_s)
                do(database, "INSERT INTO gate VALUES (1)")
                is_open = True
    os.close(ours)
    assert running.wait(60) == 0, shown
    return shown.decode()


def test_on_a_terminal_one_line_is_written_over(database: Database, tmp_path: Path) -> None:
    do(database, "CREATE TABLE gate (n int)")
    write(tmp_path / "migrations", {"1_a": f"SELECT 1; {GATE}"})
    shown = on_a_terminal("xterm", database, tmp_path, until="1_a  statement 2 of 2")
    assert "\x1b[2K" in shown and "is running" not in shown and "applied 1_a" in shown


def test_terminal_that_cannot_write_over_a_line_is_sent_none(database: Database, tmp_path: Path) -> None:
    do(database, "CREATE TABLE gate (n int)")
    write(tmp_path / "migrations", {"1_a": "SELECT 1", "2_b": GATE})
    shown = on_a_terminal("dumb", database, tmp_path, until="migrating ", then_s=2.5)
    assert "\x1b[2K" not in shown and "applied 2_b" in shown

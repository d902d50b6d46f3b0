"""Who goes when: runs that want the same locks go one at a time, and only as long as that helps."""

from __future__ import annotations

import ast
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from tests.cli.test_commands import ROOT
from tests.engine.test_faults import do, one, wait_until, write
from tests.fleet.test_operations import counted, tenants
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine.events import Retrying
from wflo_schema.engine.locks import LockOptions
from wflo_schema.files.folder import read_migrations
from wflo_schema.fleet.operations import migrate_fleet
from wflo_schema.fleet.outcomes import Finished, FleetEvent, FleetOptions, State, Told
from wflo_schema.fleet.waves import Gate, Turn, waves

pytestmark = pytest.mark.one_server

COMMON = (
    "CREATE SCHEMA common",
    "CREATE TABLE common.plans (id int PRIMARY KEY, tenants int)",
    "CREATE TABLE common.other (id int PRIMARY KEY)",
    "INSERT INTO common.plans VALUES (1, 0)",
)
MEANT = "-- lint: allow outside-schema because it is common to all\n\n"
SHARED = {
    "1_key": "CREATE TABLE a (id int PRIMARY KEY REFERENCES common.plans); INSERT INTO a VALUES (1);",
    # a row first, then all of the table: two of these at once are a deadlock
    "2_upgrade": f"{MEANT}UPDATE common.plans SET tenants = tenants + 1; SELECT pg_sleep(0.02);\n"
    "ALTER TABLE common.plans ADD COLUMN IF NOT EXISTS note text;",
    # two tables, in one order and in the other
    "3_one": f"{MEANT}LOCK TABLE common.plans IN SHARE ROW EXCLUSIVE MODE; SELECT pg_sleep(0.01);\n"
    "LOCK TABLE common.other IN SHARE ROW EXCLUSIVE MODE; SELECT pg_advisory_xact_lock(5);",
    "4_other": f"{MEANT}SELECT pg_advisory_xact_lock(5); SELECT pg_sleep(0.01);\n"
    "LOCK TABLE common.other IN SHARE ROW EXCLUSIVE MODE; LOCK TABLE common.plans IN SHARE ROW EXCLUSIVE MODE;",
    # rows of the catalogs that all change: "tuple concurrently updated", a name that is there already
    "5_catalog": f"{MEANT}GRANT SELECT ON common.other TO pg_monitor; SELECT pg_sleep(0.01);\n"
    "CREATE OR REPLACE FUNCTION common.f() RETURNS int LANGUAGE sql AS 'SELECT 1';\n"
    "CREATE TABLE IF NOT EXISTS common.late (id int);",
}


def test_tenants_that_change_what_is_common_are_all_done(database: Database, tmp_path: Path) -> None:
    do(database, *COMMON)
    files = read_migrations(write(tmp_path / "migrations", SHARED))
    result = migrate_fleet(tenants(database, 16), files, options=FleetOptions(jobs=6))
    assert counted(result) == {"done": 16}
    assert one(database, "SELECT tenants FROM common.plans") == (16,)


@pytest.mark.parametrize("are_seen", [True, False], ids=["seen", "unseen"])
def test_an_outsiders_lock_on_one_target_keeps_no_other_waiting(
    database: Database, tmp_path: Path, are_seen: bool
) -> None:
    """Also where there is no connection left from which to see who holds it."""
    role = f"waves_{database.name}"
    do(database, f"CREATE ROLE {role} LOGIN", f"GRANT CREATE ON DATABASE {database.name} TO {role}")
    try:
        ours = database.with_parameters(user=role)
        targets = tenants(ours, 12)
        folder = write(tmp_path / "migrations", {"1_a": "CREATE TABLE a (id int)"})
        assert migrate_fleet(targets, read_migrations(folder)).is_success
        write(folder, {"2_b": "ALTER TABLE a ADD COLUMN b int"})
        ended: list[str] = []

        def tell(event: FleetEvent) -> None:
            if isinstance(event, Finished):
                if not (are_seen or ended):
                    do(database, f"ALTER ROLE {role} CONNECTION LIMIT 2")  # which leaves none to look from
                ended.append(event.outcome.target)
                if len(ended) == 11:
                    outsider.rollback()

        with psycopg.connect(database.conninfo) as outsider:
            outsider.execute(f"LOCK TABLE {targets[0].database.schema}.a".encode())
            jobs = FleetOptions(jobs=2)
            result = migrate_fleet(
                targets, read_migrations(folder), options=jobs, locks=LockOptions(wait_s=600), notify=tell
            )
        assert {o.state for o in result.outcomes} == {State.DONE}
        assert ended[-1] == targets[0].name
    finally:
        do(database, f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def test_who_steps_aside_is_tried_again_and_the_others_hear_of_it(database: Database, tmp_path: Path) -> None:
    do(database, *COMMON)
    files = read_migrations(write(tmp_path / "migrations", {"1_key": SHARED["1_key"], "2_up": SHARED["2_upgrade"]}))
    tries: list[Retrying] = []

    def tell(event: FleetEvent) -> None:
        if isinstance(event, Told) and isinstance(event.event, Retrying):
            tries.append(event.event)

    assert migrate_fleet(tenants(database, 40), files, notify=tell).is_success
    assert len(tries) < 40  # each of eight may be in another's way once; from then on many go one at a time


def test_waves_double() -> None:
    names = [str(n) for n in range(10)]
    assert [len(wave) for wave in waves(names, 1)] == [1, 2, 4, 3]  # type: ignore[arg-type]
    assert [len(wave) for wave in waves(names, 0)] == [10]  # type: ignore[arg-type]
    assert list(waves([], 1)) == []


class Runs:
    """Runs in threads that go through one gate; each does what it is told, and ends when it is told."""

    def __init__(self, stop: Stop | None = None) -> None:
        self.gate = Gate(stop or Stop())
        self.inside: dict[str, Turn] = {}
        self._ends: dict[str, threading.Event] = {}
        self._threads: list[threading.Thread] = []

    def start(self, name: str, act: Callable[[Turn], None] = lambda turn: None) -> None:
        self._ends[name] = threading.Event()

        def run() -> None:
            with self.gate.turn() as turn:
                act(turn)
                self.inside[name] = turn
                self._ends[name].wait(60)
                del self.inside[name]

        self._threads.append(threading.Thread(target=run, daemon=True))
        self._threads[-1].start()

    def end(self, *names: str) -> None:
        for name in names:
            self._ends[name].set()
        wait_until(lambda: not set(names) & set(self.inside), f"{names} to be out")

    def are_inside(self, *names: str) -> None:
        wait_until(lambda: set(self.inside) == set(names), f"{names} to be inside")

    def finish(self) -> None:
        for end in self._ends.values():
            end.set()
        for thread in self._threads:
            thread.join(60)
            assert not thread.is_alive()


def test_who_steps_aside_goes_alone_and_some_after_it_one_at_a_time() -> None:
    runs = Runs()
    runs.start("a")
    runs.start("b")
    runs.are_inside("a", "b")
    runs.start("c", lambda turn: turn.step_aside(is_ours=True))
    runs.start("d")
    runs.end("a")
    runs.are_inside("b")
    runs.end("b")
    wait_until(lambda: runs.inside, "one of them")
    first, second = ("c", "d") if "c" in runs.inside else ("d", "c")
    runs.are_inside(first)
    runs.end(first)
    runs.are_inside(second)
    runs.finish()


def test_where_going_alone_does_not_help_all_are_let_in() -> None:
    runs = Runs()
    runs.start("a")
    runs.are_inside("a")
    runs.start("b", lambda turn: turn.step_aside(is_ours=False))
    runs.end("a")
    runs.are_inside("b")
    runs.start("c")
    turn = runs.inside["b"]
    turn.step_aside(is_ours=False)
    runs.are_inside("b", "c")
    turn.step_aside(is_ours=False)  # once is enough: it is an outsider who is in the way
    runs.start("d")
    runs.are_inside("b", "c", "d")
    runs.finish()


def test_a_stop_ends_all_waiting() -> None:
    stop = Stop()
    runs = Runs(stop)
    runs.start("a")
    runs.are_inside("a")
    runs.start("b", lambda turn: turn.step_aside(is_ours=True))
    runs.start("c")
    stop.request(15)
    runs.are_inside("a", "b", "c")
    runs.finish()


def test_what_is_raised_while_aside_keeps_nobody_out() -> None:
    gate = Gate(Stop())
    with pytest.raises(ZeroDivisionError), gate.turn() as turn:
        turn.step_aside(is_ours=True)
        raise ZeroDivisionError
    for _ in range(100):  # more than go one at a time
        with gate.turn():
            pass
    with gate.turn(), gate.turn():
        pass


def test_nothing_is_imported_in_threads() -> None:
    """But for replays, which no fleet does, and what reads the folder, before."""
    below = ("connect", "files", "catalog", "engine")
    later: set[str] = set()
    for path in (path for package in below for path in (ROOT / "wflo_schema" / package).rglob("*.py")):
        functions = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef))
        for node in (node for function in functions for node in ast.walk(function)):
            if isinstance(node, ast.ImportFrom) and node.module != "wflo_schema.catalog":
                later.add(node.module or "")
            elif isinstance(node, ast.Import):
                later.update(alias.name for alias in node.names)
    assert len(later) > 20
    run = "import sys; from wflo_schema.fleet.waves import *; Crew(FleetOptions(), Stop()).run([], print)"
    loaded = subprocess.run(
        [sys.executable, "-c", f"{run}; print(*sys.modules)"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert later - set(loaded.stdout.split()) == {"wflo_schema.engine.confinement", "yoyo.topologicalsort"}

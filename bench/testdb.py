"""Test databases beside pytest-postgresql, bare CREATE and DROP DATABASE, and replay through yoyo.

Everything runs on one server (PostgreSQL 18, embedded, fsync off, in memory where there is
enough), in turns, with wflo's migrations, by one Python; each number is the median of the rounds.
A test's price is what its fixtures take, set-up and tear-down, as pytest reports them, and not its
work; the first test of a session is left out of it and stands in the table of starts instead.  Two
kinds of tests: one that works for 25 ms, asleep or with queries, and an empty one, where databases
can be taken no sooner than they are made, so that the server's own speed is the limit.

pytest-postgresql is installed by its name into ``$XDG_CACHE_HOME/wflo-schema-bench``.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from psycopg import sql

from bench.peers import CACHE
from wflo_schema.connect.database import Database
from wflo_schema.files.folder import read_migrations
from wflo_schema.server.account import Account, choose_account
from wflo_schema.server.embedded import start_embedded, stop_embedded
from wflo_schema.server.home import reachable_programs
from wflo_schema.server.installed import find_programs
from wflo_schema.testdb.databases import list_test_databases
from wflo_schema.testdb.session import ServerSession

# Without their dependencies: those are pytest and psycopg, which every tool is to have alike.
ROOT = Path(__file__).resolve().parent.parent
MIGRATIONS = ROOT / "migrations"
WORK_MS = 25
PEER = ("pytest-postgresql", "mirakuru", "port-for", "psutil", "packaging")

_RECORDER = """
import json, os, sys, time

times = {}

def pytest_runtest_logreport(report):
    times.setdefault(report.nodeid, {})[report.when] = report.duration
    times[report.nodeid]["worker"] = getattr(report, "worker_id", "")
    times[report.nodeid]["outcome"] = times[report.nodeid].get("outcome", True) and report.passed

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        with open(os.environ["BENCH_TIMES"], "w") as file:
            json.dump(list(times.values()), file)
"""

_YOYO = """
import itertools, os
import psycopg, pytest, yoyo

numbers = itertools.count()
URL = os.environ["BENCH_URL"]

@pytest.fixture
def database():
    name = f"bench_yoyo_{next(numbers)}"
    with psycopg.connect(URL, autocommit=True) as c:
        c.execute(f"CREATE DATABASE {name}")
    url = URL.replace("/postgres?", f"/{name}?").replace("postgresql://", "postgresql+psycopg://")
    backend = yoyo.get_backend(url)
    with backend.lock():
        backend.apply_migrations(backend.to_apply(yoyo.read_migrations(os.environ["BENCH_MIGRATIONS"])))
    backend.connection.close()
    with psycopg.connect(URL.replace("/postgres?", f"/{name}?")) as connection:
        yield connection
    with psycopg.connect(URL, autocommit=True) as c:
        c.execute(f"DROP DATABASE {name} WITH (FORCE)")
"""

_NOPROC = """
from pytest_postgresql import factories
server = factories.postgresql_noproc()
database = factories.postgresql("server")
"""

_OURS = """
import pytest

@pytest.fixture
def database(wflo_connection):
    return wflo_connection
"""

_OURS_BARE = """
import pytest

@pytest.fixture
def database(wflo_database):
    return None
"""

_OURS_TRANSACTION = """
import pytest

@pytest.fixture
def database(wflo_transaction):
    return wflo_transaction
"""

_TESTS = """
import time
import pytest

@pytest.mark.parametrize("number", range({count}))
def test_work(database, number):
    end = time.monotonic() + {work_ms} / 1000
    {work}
"""
_SLEEP = "time.sleep({work_ms} / 1000)"
_QUERIES = """while time.monotonic() < end:
        database.execute("SELECT count(*) FROM workflow_definitions").fetchone()"""


@dataclass(frozen=True)
class PytestRun:
    """One run of pytest: how long each test's fixtures took, and the whole process, in milliseconds."""

    workers: tuple[str, ...]
    setup_ms: tuple[float, ...]
    teardown_ms: tuple[float, ...]
    total_ms: float

    @property
    def later_ms(self) -> list[float]:
        """Set-up of every test but each worker's first."""
        seen: set[str] = set()
        later = []
        for worker, setup_ms in zip(self.workers, self.setup_ms, strict=True):
            if worker in seen:
                later.append(setup_ms)
            seen.add(worker)
        return later

    @property
    def price_ms(self) -> float:
        """Set-up and tear-down of a test, median, without the first test."""
        return statistics.median(a + b for a, b in list(zip(self.setup_ms, self.teardown_ms, strict=True))[1:])

    @property
    def wait_ms(self) -> float:
        """Set-up alone, median, without the first test."""
        return statistics.median(self.setup_ms[1:])


class Bench:
    """One server, and sessions of pytest on it."""

    def __init__(self, folder: Path, database: Database, words: tuple[str, ...], peer: Path | None) -> None:
        self.folder = folder
        self.peer = peer
        self.database = database
        self.words = words
        known = database.parameters
        self.plugins: dict[str, tuple[str, ...]] = {
            "ours": ("-p", "wflo_schema.testdb.pytest_plugin", *words),
            "pytest-postgresql": (
                "-p",
                "pytest_postgresql.plugin",
                f"--postgresql-host={known['host']}",
                f"--postgresql-port={known['port']}",
                "--postgresql-user=postgres",
                *(f"--postgresql-load={m.path}" for m in read_migrations(MIGRATIONS)),
            ),
            "yoyo": (),
        }

    def run(
        self, tool: str, fixtures: str, *, count: int, work: str = "pass", work_ms: int = 0, words: tuple[str, ...] = ()
    ) -> PytestRun:
        """Run a session in a folder of its own; every test must pass."""
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        folder.chmod(0o755)
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "conftest.py").write_text(_RECORDER + fixtures)
        body = work.format(work_ms=work_ms)
        (folder / "test_bench.py").write_text(_TESTS.format(count=count, work=body, work_ms=work_ms))
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PG", "WFLO_", "PYTHON", "PYTEST_"))},
            "PYTHONPATH": os.pathsep.join([str(ROOT), *([str(self.peer)] if tool == "pytest-postgresql" else [])]),
            "PYTHONPYCACHEPREFIX": str(self.folder / "pycache"),  # a checkout is not compiled anew for each session
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "BENCH_TIMES": str(folder / "times.json"),
            "BENCH_URL": self.database.url,
            "BENCH_MIGRATIONS": str(MIGRATIONS),
        }
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *self.plugins[tool], *words],
            cwd=folder,
            env=environment,
            capture_output=True,
            text=True,
        )
        total_ms = (time.monotonic() - began) * 1000
        if done.returncode:
            raise SystemExit(f"{tool}: {done.stdout[-3000:]}{done.stderr[-2000:]}")
        times = json.loads((folder / "times.json").read_text())
        assert len(times) == count
        assert all(t["outcome"] for t in times)
        shutil.rmtree(folder)
        return PytestRun(
            tuple(t["worker"] for t in times),
            tuple(t["setup"] * 1000 for t in times),
            tuple(t["teardown"] * 1000 for t in times),
            total_ms,
        )

    def bare_ms(self, count: int) -> float:
        """CREATE DATABASE … TEMPLATE (no option given) and DROP of the same template, one after the other."""
        with ServerSession.open(self.database) as session:
            template = session.template(read_migrations(MIGRATIONS)).name
            took = []
            for number in range(count):
                name = f"bench_bare_{number}"
                began = time.monotonic()
                session.connection.execute(
                    sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
                )
                session.connection.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
                took.append((time.monotonic() - began) * 1000)
        return statistics.median(took)

    def bare_by_threads_ms(self, threads: int, count: int) -> list[float]:
        """Each CREATE DATABASE … TEMPLATE while so many connections make and drop as fast as they can."""
        with ServerSession.open(self.database) as session:
            template = session.template(read_migrations(MIGRATIONS)).name
            took: list[float] = []

            def work(thread: int) -> None:
                with session.connect() as connection:
                    for number in range(max(2, count // threads)):
                        name = sql.Identifier(f"bench_bare_{thread}_{number}")
                        began = time.monotonic()
                        connection.execute(
                            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(name, sql.Identifier(template))
                        )
                        took.append((time.monotonic() - began) * 1000)
                        connection.execute(sql.SQL("DROP DATABASE {}").format(name))

            started = [threading.Thread(target=work, args=(n,)) for n in range(threads)]
            for thread in started:
                thread.start()
            for thread in started:
                thread.join()
        return took


def _install_peer() -> Path | None:
    """The folder with pytest-postgresql; None, and said, where it cannot be had."""
    folder = CACHE / f"pytest-postgresql-{sys.version_info.major}.{sys.version_info.minor}"
    if not (folder / ".ready").exists():
        shutil.rmtree(folder, ignore_errors=True)
        pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-q", "--no-deps"]
        try:
            subprocess.run(
                [*pip, "--target", str(folder), *PEER], check=True, capture_output=True, text=True, timeout=300
            )
        except (OSError, subprocess.SubprocessError) as error:
            said = (getattr(error, "stderr", "") or str(error)).strip().splitlines()[-1:]
            print(f"not measured: pytest-postgresql: {' '.join(said)}", flush=True)
            return None
        (folder / ".ready").touch()
    return folder


def _median(values: list[float]) -> float:
    return statistics.median(values)


def _row(what: str, value: str, against: str = "") -> None:
    print(f"{what:<62} {value:>12}  {against}", flush=True)


def main(words: list[str]) -> int:
    """Measure, print the table, return 0."""
    parser = argparse.ArgumentParser(prog="python -m bench.testdb")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tests", type=int, default=200)
    asked = parser.parse_args(words)
    peer = _install_peer()
    has_peer = peer is not None
    memory = Path("/dev/shm")
    directory = Path(tempfile.mkdtemp(prefix="wfs-bench-", dir=memory if memory.is_dir() else None))
    directory.chmod(0o755)
    folder = Path(tempfile.mkdtemp(prefix="wfs-bench-"))
    folder.chmod(0o755)
    few = max(10, asked.tests // 8)
    try:
        running = start_embedded(directory / "server", database_name="postgres", durable=False)
        bench = Bench(
            folder,
            running.database,
            (f"--wflo-server-directory={directory / 'server'}", f"--wflo-migrations={MIGRATIONS}"),
            peer,
        )
        print(
            f"PostgreSQL {running.version}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f} at the start, "
            f"{asked.rounds} rounds, server in {directory}"
        )
        for tool, fixtures in (("ours", _OURS), ("yoyo", _YOYO), ("pytest-postgresql", _NOPROC))[: 2 + has_peer]:
            bench.run(tool, fixtures, count=1)  # compiled, and our template built
        found: dict[str, list[float]] = {}

        def note(what: str, value: float) -> None:
            found.setdefault(what, []).append(value)

        for _ in range(asked.rounds):
            note("bare", bench.bare_ms(few))
            one = bench.run("ours", _OURS_BARE, count=1)
            many = bench.run("ours", _OURS_BARE, count=few * 2 + 1)
            note("back to back", (many.total_ms - one.total_ms) / (few * 2))
            note("wait, sleep", bench.run("ours", _OURS_BARE, count=asked.tests, work=_SLEEP, work_ms=WORK_MS).wait_ms)
            busy = bench.run("ours", _OURS, count=asked.tests, work=_QUERIES, work_ms=WORK_MS)
            note("wait, queries", busy.wait_ms)
            note("price, queries", busy.price_ms)
            empty, start = bench.run("ours", _OURS, count=few * 2 + 1), bench.run("ours", _OURS, count=1)
            note("price, empty", empty.price_ms)
            note("session, empty", (empty.total_ms - start.total_ms) / (few * 2))
            note("price, transaction", bench.run("ours", _OURS_TRANSACTION, count=few * 2).price_ms)
            note("warm start", start.total_ms)
            empty, start = bench.run("yoyo", _YOYO, count=few + 1), bench.run("yoyo", _YOYO, count=1)
            note("yoyo", empty.price_ms)
            note("yoyo, session", (empty.total_ms - start.total_ms) / few)
            note("yoyo, queries", bench.run("yoyo", _YOYO, count=few, work=_QUERIES, work_ms=WORK_MS).price_ms)
            if has_peer:
                empty = bench.run("pytest-postgresql", _NOPROC, count=few * 2 + 1)
                start = bench.run("pytest-postgresql", _NOPROC, count=1)
                note("peer", empty.price_ms)
                note("peer, session", (empty.total_ms - start.total_ms) / (few * 2))
                note("peer, warm start", start.total_ms)
                note(
                    "peer, queries",
                    bench.run("pytest-postgresql", _NOPROC, count=few * 2, work=_QUERIES, work_ms=WORK_MS).price_ms,
                )
            eight = bench.run(
                "ours",
                _OURS_BARE,
                count=asked.tests,
                work=_SLEEP,
                work_ms=WORK_MS,
                words=("-p", "xdist.plugin", "-n", "8"),
            )
            waits = eight.later_ms
            note("8 workers, median wait", statistics.median(waits))
            note("8 workers, longest wait", max(waits))
            bare = bench.bare_by_threads_ms(8, max(few, 40))
            note("8 bare, median", statistics.median(bare))
            note("8 bare, longest", max(bare))
        _cold_starts(bench, directory, asked.rounds, note, has_peer)
        _show({what: _median(values) for what, values in found.items()}, asked.tests, has_peer)
        left = [m for m in list_test_databases(running.database) if m.purpose in ("clone", "building")]
        _row("databases left behind", str(len(left)))
    finally:
        stop_embedded(directory / "server")
        shutil.rmtree(directory, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def _cold_starts(
    bench: Bench, directory: Path, rounds: int, note: Callable[[str, float], None], has_peer: bool
) -> None:
    """A session of one test with no template and no server, both with their data in the same place."""
    account = choose_account()
    programs = find_programs()
    assert programs is not None
    pg_ctl = reachable_programs(programs, account) / "pg_ctl"
    for number in range(rounds):
        cold = directory / f"cold-{number}"
        words = (f"--wflo-server-directory={cold}",)
        note("cold start", bench.run("ours", _OURS, count=1, words=words).total_ms)
        stop_embedded(cold)
        shutil.rmtree(cold)
        if has_peer:
            base = directory / f"peer-{number}"
            sockets = directory / "sockets"
            sockets.mkdir(mode=0o777, exist_ok=True)
            sockets.chmod(0o777)
            program = pg_ctl if account is None else _as_account(pg_ctl, account, directory)
            process = f"postgresql_proc(executable={str(program)!r}, port=None)"
            fixtures = _NOPROC.replace("postgresql_noproc()", process)
            note(
                "peer, cold start",
                bench.run(
                    "pytest-postgresql",
                    fixtures,
                    count=1,
                    words=(
                        "--basetemp",
                        str(base),
                        f"--postgresql-exec={program}",
                        "--postgresql-host=127.0.0.1",
                        f"--postgresql-unixsocketdir={sockets}",
                    ),
                ).total_ms,
            )
            shutil.rmtree(base, ignore_errors=True)


def _as_account(pg_ctl: Path, account: Account, directory: Path) -> Path:
    """A script that is pg_ctl for root: lets the server's user through to the data folder and becomes it."""
    script = directory / "pg_ctl"
    script.write_text(
        f"""#!/bin/sh
for word in "$@"; do
    case "$last" in -D|--pgdata) place=$word ;; esac
    last=$word
done
while [ -n "$place" ] && [ "$place" != / ]; do
    place=$(dirname "$place")
    case "$place" in {directory}/*) chmod a+rwx "$place" ;; esac
done
cd /
exec setpriv --reuid={account.uid} --regid={account.gid} --clear-groups {pg_ctl} "$@"
"""
    )
    script.chmod(0o755)
    return script


def _show(known: dict[str, float], tests: int, has_peer: bool) -> None:
    def ms(what: str) -> str:
        return f"{known[what]:.1f} ms" if what in known else "not measured"

    def ratio(what: str, to: str) -> str:
        return f"{known[what] / known[to]:.1f} x" if what in known and to in known else ""

    _row(f"{tests} tests, each {WORK_MS} ms asleep: wait for a fresh database", ms("wait, sleep"), "goal: at most 5 ms")
    _row(f"{tests} tests, each {WORK_MS} ms of queries: the same, connected", ms("wait, queries"))
    _row("bare CREATE DATABASE … TEMPLATE plus DROP", ms("bare"))
    _row(
        "back to back empty tests, whole session, a test",
        ms("back to back"),
        f"{ratio('back to back', 'bare')} bare, goal: at most 1.2 x",
    )
    _row("a test's price, 25 ms of queries, connected", ms("price, queries"))
    _row("a test's price, empty tests, connected", ms("price, empty"))
    _row("whole session, empty tests, connected, a test", ms("session, empty"))
    _row("a test's price, empty tests, wflo_transaction", ms("price, transaction"))
    if has_peer:
        _row(
            "pytest-postgresql, queries",
            ms("peer, queries"),
            f"{ratio('peer, queries', 'price, queries')} ours, goal: 3 x",
        )
        _row("pytest-postgresql, empty tests", ms("peer"), f"{ratio('peer', 'price, empty')} ours")
        _row(
            "pytest-postgresql, whole session, empty tests, a test",
            ms("peer, session"),
            f"{ratio('peer, session', 'session, empty')} ours",
        )
    _row(
        "replay through yoyo, queries",
        ms("yoyo, queries"),
        f"{ratio('yoyo, queries', 'price, queries')} ours, goal: 20 x",
    )
    _row("replay through yoyo, empty tests", ms("yoyo"), f"{ratio('yoyo', 'price, empty')} ours")
    _row(
        "replay through yoyo, whole session, empty tests, a test",
        ms("yoyo, session"),
        f"{ratio('yoyo, session', 'session, empty')} ours",
    )
    _row("one test, cold (no server, no template)", ms("cold start"))
    if has_peer:
        _row("pytest-postgresql, the same", ms("peer, cold start"), ratio("peer, cold start", "cold start"))
    _row("one test, warm (server and template there)", ms("warm start"))
    if has_peer:
        _row(
            "pytest-postgresql, server there, the same", ms("peer, warm start"), ratio("peer, warm start", "warm start")
        )
    _row(
        "8 workers asleep 25 ms a test: median wait",
        ms("8 workers, median wait"),
        f"{ratio('8 workers, median wait', '8 bare, median')} bare's median",
    )
    _row(
        "the same: longest wait, without each worker's first",
        ms("8 workers, longest wait"),
        f"{ratio('8 workers, longest wait', '8 bare, longest')} bare's longest, goal: at most 1 x",
    )
    _row("8 connections, bare CREATE DATABASE: median", ms("8 bare, median"))
    _row("8 connections, bare CREATE DATABASE: longest", ms("8 bare, longest"))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

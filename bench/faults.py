"""The same faults for wflo-schema and the others: after each, the same command is run once more, by nobody's hand.

    python -m bench.faults
    python -m bench.faults --seed 7 --only kill --tool yoyo --trials 40

A trial has ended right when the second run exits with 0 within 25 s, every migration is applied
exactly once and as a whole, and the ledger says so.  Moments are random; the seed is printed.
"psql" is one process with a script that asks its ledger table before each file and applies the
file and its ledger row in one transaction: what a careful person writes by hand.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql

from bench.peers import ENVIRONMENT, File, Tool, choose, versions
from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.proxy import Counts, Cut, Direction, Proxy
from wflo_schema.connect.database import Database
from wflo_schema.errors import DatabaseError
from wflo_schema.server.account import choose_account

# Seconds for the second run: yoyo's own wait for its lock is 10.
PATIENCE_S = 25.0

# Seconds that a reader keeps its transaction open in front of the migration.
READER_S = 6.0

# Seconds that a writer may be kept waiting behind the migration: wflo-schema's lock timeout is 2 by default.
WRITER_S = 2.6


def steps(count: int) -> list[File]:
    """Migrations of which each leaves a table, an index and exactly one row in ``seen``."""
    made = []
    for n in range(count):
        first = "CREATE TABLE seen (n integer);\n" if n == 0 else ""
        made.append(
            File(
                f"{20250101000000 + n}_step-{n}",
                f"{first}CREATE TABLE t{n} (id bigint PRIMARY KEY, name text);\nINSERT INTO public.seen VALUES ({n});\n"
                f"CREATE INDEX t{n}_name ON t{n} (name);\n",
            )
        )
    return made


@dataclass
class Outcome:
    """A cell of the table."""

    right: int = 0
    tried: int = 0
    shown: str = ""
    reasons: Counter[str] = field(default_factory=Counter)

    def add(self, is_right: bool, reason: str = "") -> None:
        self.tried += 1
        self.right += is_right
        if not is_right:
            self.reasons[reason or "wrong state"] += 1

    def merge(self, other: Outcome) -> None:
        self.right += other.right
        self.tried += other.tried
        self.shown = max(self.shown, other.shown)
        self.reasons += other.reasons

    def __str__(self) -> str:
        return f"{self.right} of {self.tried}{f' ({self.shown})' if self.shown else ''}"


@dataclass(frozen=True)
class Bench:
    """One tool, its files and an empty database for one trial."""

    tool: Tool
    server: RunningServer
    folder: Path
    database: Database
    files: list[File]

    def start(self, *, through: int | None = None) -> subprocess.Popen[str]:
        """Start the tool; ``through`` is another port."""
        database = self.database if through is None else self.database.with_parameters(port=str(through))
        command = self.tool.command(self.folder, database.url)
        if self.tool.name == "psql":
            command[-1] = "rest.psql"
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=ENVIRONMENT,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def run(self, *, through: int | None = None, patience_s: float = PATIENCE_S) -> tuple[int, str]:
        """Run the tool to its end: exit code and the last line it said."""
        return finish(self.start(through=through), patience_s)

    def write(self, files: Sequence[File]) -> None:
        self.tool.write(self.folder, files)
        self.files[:] = files

    def wrong(self, *, also: str = "") -> str:
        """What is not as it should be, "" where all is right; ``also`` is one more query that must say true."""
        with self.database.connect() as connection:
            if connection.execute("SELECT to_regclass('public.seen')").fetchone() == (None,):
                return "nothing is applied"
            seen = [r[0] for r in connection.execute("SELECT n FROM public.seen ORDER BY n").fetchall()]
            tables = connection.execute(
                "SELECT count(*) FROM pg_class "
                "WHERE relnamespace = 'public'::regnamespace AND relname ~ '^t[0-9]+(_name)?$'"
            ).fetchone()
            try:
                rows = [str(r[0]) for r in connection.execute(self.tool.ledger_query.encode()).fetchall()]
            except psycopg.errors.UndefinedTable:
                rows = []
            recorded = sorted(self.tool.recorded(rows, self.files))
            wanted = [n for n, f in enumerate(self.files) if "public.seen" in f.sql]
            if seen != wanted:
                return "applied twice" if len(set(seen)) < len(seen) else "not everything is applied"
            if tables != (2 * sum("_name ON" in f.sql for f in self.files),):
                return "tables or indexes are not as they should be"
            if recorded != sorted(f.name for f in self.files):
                return "the ledger does not say what is applied"
            if also and connection.execute(also.encode()).fetchone() != (True,):
                return "left something behind"
        return ""

    def again(self, outcome: Outcome, *, through: int | None = None, also: str = "") -> None:
        """The second run, and the verdict."""
        code, said = self.run(through=through)
        reason = f"second run: {said}" if code else self.wrong(also=also)
        if code and self.tool.name == "yoyo" and "LockTimeout" in said:
            reason = f"its lock stays, and once that is broken by hand (yoyo break-lock): {self._after_break_lock()}"
        outcome.add(not reason, reason)

    def _after_break_lock(self) -> str:
        command = self.tool.command(self.folder, self.database.url)
        command[1:3] = ["break-lock", "--batch"]
        subprocess.run(command[:-1], cwd=self.folder, env=ENVIRONMENT, capture_output=True, stdin=subprocess.DEVNULL)
        code, said = self.run()
        return f"third run: {said}" if code else self.wrong() or "right"

    def wait_for(self, count: int, process: subprocess.Popen[str], rng: random.Random) -> None:
        """Wait until that many migrations are applied and a random moment more, or until the tool has ended."""
        until = time.monotonic() + PATIENCE_S
        with contextlib.suppress(psycopg.Error), self.database.connect() as connection:
            while process.poll() is None and time.monotonic() < until:
                row = connection.execute("SELECT to_regclass('public.seen')").fetchone()
                applied = 0
                if row is not None and row[0] is not None:
                    one = connection.execute("SELECT count(*) FROM public.seen").fetchone()
                    applied = one[0] if one else 0
                if applied >= count:
                    break
                time.sleep(0.001)
        time.sleep(rng.uniform(0, 0.03))

    def wait_for_queue(self, process: subprocess.Popen[str]) -> None:
        """Wait until the tool waits for a lock, or has ended."""
        waiting = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        until = time.monotonic() + PATIENCE_S
        with self.database.connect() as connection:
            while process.poll() is None and time.monotonic() < until:
                if connection.execute(waiting.encode()).fetchone() != (0,):
                    return
                time.sleep(0.01)


def finish(process: subprocess.Popen[str], patience_s: float = PATIENCE_S) -> tuple[int, str]:
    try:
        _, said = process.communicate(timeout=patience_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return 124, f"still waiting after {patience_s:.0f} s"
    lines = [line.strip() for line in said.splitlines() if line.strip() and not re.search("warning|sqlalche.me", line)]
    telling = [line for line in lines if re.search(r"error|exception|locked|failed|fatal", line, re.IGNORECASE)]
    return process.returncode, (telling or lines or ["no word"])[-1][:140]


@dataclass
class Trials:
    """What every fault needs."""

    server: RunningServer
    root: Path
    seed: int
    trials: int | None
    number: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)
    messages: dict[str, Counts] = field(default_factory=dict)
    """What the first connection of a whole run of each tool carries."""
    _locks: dict[str, threading.Lock] = field(default_factory=dict)

    def lock_of(self, tool: Tool) -> threading.Lock:
        return self._locks.setdefault(tool.name, threading.Lock())

    def count(self, fault: str) -> int:
        return (self.trials or FAULTS[fault].trials) if FAULTS[fault].trials > 1 else 1

    def rng(self, *of: object) -> random.Random:
        return random.Random(f"{self.seed} {' '.join(map(str, of))}")

    @contextmanager
    def bench(self, tool: Tool, files: Sequence[File], server: RunningServer | None = None) -> Iterator[Bench]:
        """The tool on an empty database."""
        on = server or self.server
        with self.lock:
            self.number += 1
            name = f"fault{self.number}"
            with on.database.connect() as connection:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        folder = self.root / name
        made = Bench(tool, on, folder, on.database.with_name(name).with_parameters(sslmode="disable"), [])
        made.write(files)
        try:
            yield made
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            if server is None:  # another one is thrown away as a whole
                with contextlib.suppress(DatabaseError, psycopg.Error), self.lock, on.database.connect() as connection:
                    connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def kill(t: Trials, tool: Tool, trial: int) -> Outcome:
    outcome = Outcome()
    rng = t.rng("kill", tool.name, trial)
    with t.bench(tool, steps(25)) as bench:
        process = bench.start()
        bench.wait_for(rng.randrange(0, 23), process, rng)
        process.kill()
        process.communicate()
        bench.again(outcome)
    return outcome


def terminate(t: Trials, tool: Tool, trial: int) -> Outcome:
    outcome = Outcome()
    rng = t.rng("terminate", tool.name, trial)
    with t.bench(tool, steps(25)) as bench:
        process = bench.start()
        bench.wait_for(rng.randrange(0, 23), process, rng)
        with t.server.database.connect() as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (bench.database.name,)
            )
        finish(process)
        bench.again(outcome)
    return outcome


def cut(t: Trials, tool: Tool, trial: int) -> Outcome:
    """The first connection ends after the n-th message; n is spread over the whole run, both ways."""
    outcome = Outcome()
    port = int(t.server.database.parameters["port"])
    files = steps(6)
    with t.lock_of(tool):
        if tool.name not in t.messages:
            with t.bench(tool, files) as bench, Proxy("127.0.0.1", port) as proxy:
                bench.run(through=proxy.port)
                t.messages[tool.name] = proxy.connections[0]
    counts = t.messages[tool.name]
    trials = t.count("cut")
    rng = t.rng("cut", tool.name, trial)
    direction = (Direction.TO_SERVER, Direction.TO_CLIENT)[trial % 2]
    most = counts.to_server if direction == Direction.TO_SERVER else counts.to_client
    after = min(most - 1, int((trial + rng.random()) * most / trials))
    with t.bench(tool, files) as bench:
        with Proxy("127.0.0.1", port, cut=Cut(direction, after)) as proxy:
            bench.run(through=proxy.port)
        bench.again(outcome)
    return outcome


def together(t: Trials, tool: Tool, trial: int) -> Outcome:
    outcome = Outcome()
    with t.bench(tool, steps(12)) as bench:
        ends = [finish(p, 60) for p in [bench.start() for _ in range(8)]]
        failed = [said for code, said in ends if code]
        reason = f"{len(failed)} of 8 failed: {failed[0]}" if failed else bench.wrong()
        outcome.add(not reason, reason)
    return outcome


def stop(t: Trials, tools: Sequence[Tool]) -> dict[str, Outcome]:
    """The server's processes are ended at once while all tools run, each in its own database.

    The operating system goes on, so what was written is there, and fsync may be off.
    """
    found = {tool.name: Outcome() for tool in tools}
    server = start_server(t.server.version)
    try:
        for trial in range(t.count("stop")):
            with contextlib.ExitStack() as stack:
                benches = [stack.enter_context(t.bench(tool, steps(40), server)) for tool in tools]
                processes = [b.start() for b in benches]
                rng = t.rng("stop", trial)
                chosen = rng.randrange(len(tools))
                benches[chosen].wait_for(rng.randrange(1, 35), processes[chosen], rng)
                server.pg_ctl("-m", "immediate", "-w", "stop")
                for process in processes:
                    finish(process)
                server.pg_ctl("-w", "-l", str(server.data.parent / "log"), "start")
                with ThreadPoolExecutor(len(benches)) as workers:
                    list(workers.map(lambda bench: bench.again(found[bench.tool.name]), benches))
    finally:
        stop_server(server)
    return found


def queue(t: Trials, tool: Tool, trial: int) -> Outcome:
    """A report reads a table in a long transaction; the migration wants to change that table; people write to it."""
    outcome = Outcome()
    files = steps(2)
    longest = 0.0
    with t.bench(tool, files) as bench:
        bench.run()
        change = "ALTER TABLE t0 ADD COLUMN note text;\nINSERT INTO public.seen VALUES (2);\n"
        bench.write([*files, File("20250101000002_add", change)])
        ended = threading.Event()

        def write() -> None:
            nonlocal longest
            number = 0
            with bench.database.connect() as connection:
                while not ended.is_set():
                    number += 1
                    began = time.monotonic()
                    connection.execute("INSERT INTO t0 (id) VALUES (%s)", (number,))
                    longest = max(longest, time.monotonic() - began)
                    time.sleep(0.02)

        writer = threading.Thread(target=write)
        with bench.database.connect(autocommit=False) as reader:
            reader.execute("SELECT count(*) FROM t0")
            process = bench.start()
            writer.start()
            bench.wait_for_queue(process)
            time.sleep(READER_S)
            reader.rollback()
        code, said = finish(process)
        ended.set()
        writer.join()
        reason = f"a writer waited {longest:.1f} s" if longest > WRITER_S else said if code else bench.wrong()
        outcome.add(not reason, reason)
    outcome.shown = f"{longest:.1f} s"
    return outcome


def edited(t: Trials, tool: Tool, trial: int) -> Outcome:
    outcome = Outcome()
    with t.bench(tool, steps(3)) as bench:
        bench.run()
        for path in bench.folder.rglob("*"):
            if path.is_file() and "step" in path.name and path.suffix in (".sql", ".py"):
                path.write_text(path.read_text().replace("name text", "name varchar(5)"))
        code, _ = bench.run()
        outcome.add(code != 0, "an applied file was edited, and the run exits with 0")
    return outcome


def failing(t: Trials, tool: Tool, trial: int) -> Outcome:
    """The last of a file's statements fails; the file is mended and run again."""
    outcome = Outcome()
    good = steps(4)
    broken = [*good[:2], File(good[2].name, good[2].sql + "INSERT INTO no_such_table VALUES (1);\n"), good[3]]
    with t.bench(tool, broken) as bench:
        code, _ = bench.run()
        with bench.database.connect() as connection:
            left = connection.execute("SELECT to_regclass('t2')::text, (SELECT count(*) FROM seen)").fetchone()
        bench.write(good)
        if code == 0 or left != (None, 2):
            outcome.add(False, "exits with 0" if code == 0 else "half of the file stays")
        else:
            bench.again(outcome)
    return outcome


def index(t: Trials, tool: Tool, trial: int) -> Outcome:
    """CREATE UNIQUE INDEX CONCURRENTLY fails on duplicates and leaves an INVALID index; the rows are mended."""
    outcome = Outcome()
    files = [
        File(
            "20250101000000_base",
            "CREATE TABLE seen (n integer);\nINSERT INTO public.seen VALUES (0);\n"
            "CREATE TABLE pairs AS SELECT g / 2 AS n FROM generate_series(0, 9) AS g;\n",
        ),
        File("20250101000001_index", "CREATE UNIQUE INDEX CONCURRENTLY pairs_n ON pairs (n);\n", False),
    ]
    with t.bench(tool, files) as bench:
        code, _said = bench.run()
        if code == 0:
            outcome.add(False, "exits with 0 although the index is not there")
            return outcome
        with bench.database.connect() as connection:
            connection.execute("DELETE FROM pairs AS a USING pairs AS b WHERE a.n = b.n AND a.ctid < b.ctid")
        is_valid = "SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass('pairs_n') AND indisvalid)"
        bench.again(outcome, also=is_valid)
    return outcome


@contextmanager
def pooler(server: RunningServer, root: Path) -> Iterator[int]:
    """pgbouncer in transaction mode in front of the server: its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    folder = root / "pgbouncer"
    folder.mkdir()
    account = choose_account()
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host=127.0.0.1 port={server.database.parameters['port']}\n[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder}/users\n"
        "pool_mode = transaction\nignore_startup_parameters = extra_float_digits\nlogfile =\npidfile =\n"
    )
    if account:
        for path in (folder, *folder.iterdir()):
            os.chown(path, account.uid, account.gid)
    with open(root / "pgbouncer.log", "w") as log:
        process = subprocess.Popen(
            [_pgbouncer(), str(folder / "ini")], user=account.name if account else None, cwd="/", stdout=log, stderr=log
        )
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
                break
            time.sleep(0.05)
        yield port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _pgbouncer() -> str:
    return shutil.which("pgbouncer") or shutil.which("pgbouncer", path="/usr/sbin:/usr/local/sbin") or ""


def pooled(t: Trials, tool: Tool, trial: int, *, port: int) -> Outcome:
    """A plain run; one whose file sets the search_path; one that is killed and run again; four at once."""
    outcome = Outcome()
    with t.bench(tool, steps(12)) as bench:
        code, said = bench.run(through=port)
        reason = said if code else bench.wrong()
        outcome.add(not reason, f"plain run: {reason}")
    with t.bench(tool, _with_search_path()) as bench:
        code, said = bench.run(through=port)
        reason = said if code else bench.wrong()
        if not reason:
            with bench.database.with_parameters(port=str(port)).connect() as connection:
                row = connection.execute("SHOW search_path").fetchone()
            reason = "" if row == ('"$user", public',) else "the next client has its search_path"
        outcome.add(not reason, f"SET search_path: {reason}")
    with t.bench(tool, steps(25)) as bench:
        rng = t.rng("pooled", tool.name)
        process = bench.start(through=port)
        bench.wait_for(rng.randrange(2, 20), process, rng)
        process.kill()
        process.communicate()
        bench.again(outcome, through=port)
    with t.bench(tool, steps(12)) as bench:
        ends = [finish(p, 60) for p in [bench.start(through=port) for _ in range(4)]]
        failed = [said for code, said in ends if code]
        reason = f"{len(failed)} of 4 failed: {failed[0]}" if failed else bench.wrong()
        outcome.add(not reason, reason)
    return outcome


def hygiene(t: Trials, tool: Tool, trial: int) -> Outcome:
    """SET search_path in one file must reach neither the next one nor the ledger."""
    outcome = Outcome()
    with t.bench(tool, _with_search_path()) as bench:
        code, said = bench.run()
        reason = said if code else bench.wrong()
        outcome.add(not reason, reason)
    return outcome


def _with_search_path() -> list[File]:
    files = steps(6)
    files[2] = File(files[2].name, files[2].sql + "CREATE SCHEMA elsewhere;\nSET search_path = elsewhere;\n")
    return files


@dataclass(frozen=True)
class Fault:
    """A row of the table: its words, one trial of it, how many trials, how many at a time."""

    words: str
    trial: Callable[[Trials, Tool, int], Outcome]
    trials: int = 1
    at_once: int = 4


# Those of "stop" and "pooled" are run by `stop` and `pooled`, which need a server or a pooler of their own.
FAULTS: dict[str, Fault] = {
    "kill": Fault("kill -9 at a random moment, then run again", kill, 8),
    "together": Fault("8 processes at once on an empty database", together, 2, 1),
    "cut": Fault("connection cut after the n-th message, then run again", cut, 8),
    "terminate": Fault("pg_terminate_backend at a random moment, then run again", terminate, 5),
    "stop": Fault("server stopped at once (immediate), started, run again", kill, 4),
    "queue": Fault(
        f"writers behind a migration behind a reader of {READER_S:.0f} s wait less than {WRITER_S} s (longest wait)",
        queue,
        at_once=5,
    ),
    "edited": Fault("an applied file that was edited is noticed", edited),
    "hygiene": Fault("SET search_path in a file reaches neither the next file nor the ledger", hygiene),
    "pooled": Fault("pgbouncer in transaction mode: plain, SET search_path, killed, 4 at once", kill, at_once=2),
    "failing": Fault("a failing migration leaves nothing; mended, it goes on", failing),
    "index": Fault("CREATE INDEX CONCURRENTLY failed; rows mended, it goes on", index),
}


def measure(t: Trials, tools: Sequence[Tool], name: str) -> dict[str, Outcome]:
    """One row of the table."""
    fault = FAULTS[name]
    if name == "stop":
        return stop(t, tools)
    found = {tool.name: Outcome() for tool in tools}
    with contextlib.ExitStack() as stack:
        trial = fault.trial
        if name == "pooled":
            if not _pgbouncer():
                print("not measured: pgbouncer is not installed", file=sys.stderr, flush=True)
                return {}
            trial = functools.partial(pooled, port=stack.enter_context(pooler(t.server, t.root)))
        workers = stack.enter_context(ThreadPoolExecutor(fault.at_once))
        jobs = [(tool, workers.submit(trial, t, tool, n)) for n in range(t.count(name)) for tool in tools]
        for tool, job in jobs:
            found[tool.name].merge(job.result())
    return found


def main() -> int:
    """Read the options, print the table, return 1 where wflo-schema did not end right everywhere."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", choices=sorted(BIN), default="15" if "15" in BIN else max(BIN))
    parser.add_argument("--tool", action="append", help="wflo-schema, psql, yoyo, alembic, dbmate; default: all")
    parser.add_argument("--only", choices=sorted(FAULTS), action="append")
    parser.add_argument("--trials", type=int, help="instead of each fault's own number")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    options = parser.parse_args()
    tools = choose(options.tool)
    print(f"{versions(tools)}; seed {options.seed}\n", flush=True)
    print(f"| fault; ended right | {' | '.join(tool.name for tool in tools)} |")
    print(f"|---|{'---|' * len(tools)}", flush=True)
    server = start_server(options.server)
    rows: dict[str, dict[str, Outcome]] = {}
    try:
        with tempfile.TemporaryDirectory(prefix="wfs") as name:
            root = Path(name)
            root.chmod(0o755)
            t = Trials(server, root, options.seed, options.trials)
            for fault in FAULTS:
                if options.only and fault not in options.only:
                    continue
                began = time.monotonic()
                rows[fault] = measure(t, tools, fault)
                cells = " | ".join(str(rows[fault].get(tool.name, "–")) for tool in tools)
                print(f"| {FAULTS[fault].words} | {cells} |", flush=True)
                print(f"{fault}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    finally:
        stop_server(server)
    print("\nWhat went wrong:\n")
    for fault, row in rows.items():
        for tool_name, outcome in row.items():
            for reason, times in outcome.reasons.most_common(4):
                print(f"- {fault}, {tool_name}, {times} ×: {reason}")
    return int(any(o.right < o.tried for row in rows.values() for n, o in row.items() if n == "wflo-schema"))


if __name__ == "__main__":
    sys.exit(main())

"""What PostgreSQL does when the statements of the corpus run on tables with rows, measured, not derived.

``python -m tests.statements.truth`` measures on each version that is named, or on 15 and 18, and writes what it saw to
``tests/corpus/statements/truth-VERSION.json``.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from tests.conftest import BIN, RunningServer, start_server, stop_server
from tests.statements.corpus import CASES, FILL, FOLDER, SCHEMA, Case
from wflo_schema.connect.database import Database

VERSIONS = ("15", "18")
ROWS = 20_000

Connection = psycopg.Connection[TupleRow]

# The weakest first.
MODES = (
    "AccessShareLock",
    "RowShareLock",
    "RowExclusiveLock",
    "ShareUpdateExclusiveLock",
    "ShareLock",
    "ShareRowExclusiveLock",
    "ExclusiveLock",
    "AccessExclusiveLock",
)
_STOPS_WRITERS = frozenset(MODES[4:])  # what conflicts with ROW EXCLUSIVE
_STOPS_READERS = frozenset(MODES[7:])  # what conflicts with ACCESS SHARE

_SQL = Path(__file__).parent / "sql"
_RELATIONS = (_SQL / "relations.sql").read_bytes()
_LOCKS = (_SQL / "locks.sql").read_bytes()
_WAITS = b"SELECT relation, mode, pg_blocking_pids(pid) FROM pg_locks WHERE pid = %(pid)s AND NOT granted"

_SETTINGS = {
    "autovacuum": "off",
    "allow_in_place_tablespaces": "on",
    "max_parallel_maintenance_workers": "0",  # what a worker reads is not counted as the session's own
    "max_parallel_workers_per_gather": "0",
    "stats_fetch_consistency": "none",
    "TimeZone": "UTC",
    "lock_timeout": "60s",  # what waits here for ever is a fault of the measuring
}


@dataclass(frozen=True, slots=True)
class Truth:
    """What a case did, each relation by the name that it had at first.  Names are sorted."""

    locks: dict[str, str]
    """Relation that was there before → the strongest lock on it, as pg_locks spells it."""
    rewrites: tuple[str, ...]
    """Relations whose file was made anew with what was in it."""
    scans: tuple[str, ...]
    """Tables and materialized views that were read whole, for whatever reason."""
    builds: tuple[str, ...]
    """Indexes that were built on tables that were there before."""
    rows: tuple[str, ...]
    """Tables of which at least half of the rows were changed or locked in one transaction."""
    harmful: bool
    """Whether readers or writers wait for a time that grows with the rows."""


@dataclass(frozen=True, slots=True)
class _Relation:
    oid: int
    name: str
    kind: str
    file: int
    size: int
    table_oid: int | None


@dataclass(slots=True)
class _Seen:
    """What was seen so far, by names."""

    locks: dict[str, str] = field(default_factory=dict)
    rewrites: set[str] = field(default_factory=set)
    scans: set[str] = field(default_factory=set)
    builds: set[str] = field(default_factory=set)
    rows: set[str] = field(default_factory=set)
    harmful: bool = False

    def lock(self, name: str, mode: str) -> None:
        self.locks[name] = max(self.locks.get(name, mode), mode, key=MODES.index)

    def truth(self) -> Truth:
        rewrites, scans, builds, rows = (
            tuple(sorted(part)) for part in (self.rewrites, self.scans, self.builds, self.rows)
        )
        return Truth(dict(sorted(self.locks.items())), rewrites, scans, builds, rows, self.harmful)


def _stops_somebody(kind: str, mode: str) -> bool:
    """Whether readers or writers wait for this lock.  Nobody writes to a materialized view but REFRESH."""
    return mode in (_STOPS_WRITERS if kind in "rpSf" else _STOPS_READERS)


@dataclass(slots=True)
class _Measuring:
    """One case on one database."""

    database: Database
    connection: Connection
    before: dict[int, _Relation]
    rows: dict[int, int]
    """Table → how many rows it had, where it had any."""
    kinds: str
    """Of which kinds of relations locks are noted."""
    seen: _Seen = field(default_factory=_Seen)

    def in_transaction(self, statements: Sequence[str]) -> None:
        """Run all in one transaction that is rolled back, and look after each."""
        then, counted = self._relations(), self._counted("xact_")
        for statement in statements:
            self.connection.execute(statement.encode())
            held = {oid: mode for oid, mode in self._held() if oid in self.before}
            now, counts = self._relations(), self._counted("xact_")
            read = self._read_whole(counted, counts)
            work = self._note_work(then, now, read)
            for oid, mode in held.items():
                self._note_lock(oid, mode)
            locked = {oid for oid, mode in held.items() if mode in {"RowShareLock", "RowExclusiveLock"}}
            changed = self._changed(locked)
            self.seen.rows |= {self.before[oid].name for oid in changed}
            is_stopped = any(_stops_somebody(self.before[oid].kind, mode) for oid, mode in held.items())
            self.seen.harmful |= bool(changed) or (work and is_stopped)
            then, counted = now, counts

    def alone(self, statement: str) -> None:
        """Run a statement that refuses to be in a transaction, while others hold locks that it must wait for."""
        _flush_counters(self.connection)
        then, counted = self._relations(), self._counted("")
        held, asked_early = _run_beside_holders(self.database, self.connection, statement, self._tables())
        _flush_counters(self.connection)
        read = self._read_whole(counted, self._counted(""))
        work = self._note_work(then, self._relations(), read)
        for oid, mode in held:
            self._note_lock(oid, mode)
        stops = (_stops_somebody(self.before[oid].kind, mode) for oid, mode in asked_early if oid in self.before)
        self.seen.harmful |= work and any(stops)

    def _note_lock(self, oid: int, mode: str) -> None:
        relation = self.before.get(oid)
        if relation is not None and relation.kind in self.kinds:
            self.seen.lock(relation.name, mode)

    def _note_work(self, then: dict[int, _Relation], now: dict[int, _Relation], read: set[int]) -> bool:
        """Note what was read whole and made anew since ``then``; tell whether there was anything."""
        seen, names = self.seen, {oid: relation.name for oid, relation in self.before.items()}
        seen.scans |= {names[oid] for oid in read}
        files = {relation.file for relation in then.values()}
        rewrites: set[str] = set()
        builds: set[str] = set()
        for oid, relation in now.items():
            if relation.file in files or not relation.size:
                continue
            if relation.kind in "rm" and oid in names:
                rewrites.add(names[oid])
            table = relation.table_oid
            if relation.kind == "i" and table in names and now[table].size:
                (builds if table in read else rewrites).add(names.get(oid, relation.name))
        seen.rewrites |= rewrites
        seen.builds |= builds
        return bool(read or rewrites or builds)

    def _relations(self) -> dict[int, _Relation]:
        return _relations(self.connection)

    def _held(self) -> list[tuple[int, str]]:
        return _strongest(_locks(self.connection, self.connection.info.backend_pid))

    def _tables(self) -> tuple[_Relation, ...]:
        return tuple(relation for relation in self.before.values() if relation.kind in "rp")

    def _counted(self, since: str) -> dict[int, int]:
        """Table or index → how many rows were read from it, or found by it."""
        function = sql.Identifier(f"pg_stat_get_{since}tuples_returned")
        query = sql.SQL("SELECT oid, coalesce(pg_catalog.{}(oid), 0) FROM pg_catalog.unnest(%s::oid[]) AS oid")
        oids = [oid for oid, relation in self.before.items() if relation.kind in "rmi"]
        return dict(self.connection.execute(query.format(function), (oids,)).fetchall())

    def _read_whole(self, then: dict[int, int], now: dict[int, int]) -> set[int]:
        """Tables of which as many rows were read since ``then`` as they had, from them or by one of their indexes."""
        tables = {oid: self.before[oid].table_oid or oid for oid in now}
        return {
            table for oid, table in tables.items() if table in self.rows and now[oid] - then[oid] >= self.rows[table]
        }

    def _changed(self, locked: Iterable[int]) -> set[int]:
        """Tables of which another session could not change at least half of the rows."""
        changed: set[int] = set()
        wanted = [oid for oid in locked if oid in self.rows and self.before[oid].kind == "r"]
        if not wanted:
            return changed
        with self.database.connect() as other:
            other.autocommit = False
            for oid in wanted:
                name = sql.Identifier(*self.before[oid].name.split("."))
                query = sql.SQL("SELECT FROM ONLY {} FOR NO KEY UPDATE SKIP LOCKED")
                if other.execute(query.format(name)).rowcount <= self.rows[oid] / 2:
                    changed.add(oid)
            other.rollback()
        return changed


def _flush_counters(connection: Connection) -> None:
    connection.execute("SELECT pg_catalog.pg_stat_force_next_flush()")


def _relations(connection: Connection) -> dict[int, _Relation]:
    with connection.cursor(row_factory=class_row(_Relation)) as cursor:
        return {relation.oid: relation for relation in cursor.execute(_RELATIONS)}


def _locks(connection: Connection, pid: int) -> list[tuple[int, str]]:
    return [(oid, mode) for oid, mode in connection.execute(_LOCKS, {"pid": pid})]


def _strongest(locks: Iterable[tuple[int, str]]) -> list[tuple[int, str]]:
    strongest: dict[int, str] = {}
    for oid, mode in locks:
        strongest[oid] = max(strongest.get(oid, mode), mode, key=MODES.index)
    return sorted(strongest.items())


class _Holder:
    """A session that holds a lock on one table: first one that maintenance waits for, then one for ACCESS EXCLUSIVE."""

    def __init__(self, database: Database, table: _Relation) -> None:
        self._connection = database.connect()
        self._connection.autocommit = False
        self.pid = self._connection.info.backend_pid
        self.holds = 2
        lock = sql.SQL("LOCK TABLE ONLY {} IN {} MODE")
        name = sql.Identifier(*table.name.split("."))
        self._connection.execute(lock.format(name, sql.SQL("ACCESS SHARE")))
        self._connection.execute("SAVEPOINT first")
        self._connection.execute(lock.format(name, sql.SQL("SHARE UPDATE EXCLUSIVE")))

    def let_go(self) -> None:
        """Release the stronger lock, next time the other."""
        self.holds = max(0, self.holds - 1)
        self._connection.execute("ROLLBACK TO first" if self.holds else "ROLLBACK")

    def close(self) -> None:
        self._connection.close()


@contextmanager
def _holding(database: Database, tables: Iterable[_Relation]) -> Iterator[dict[int, _Holder]]:
    holders: dict[int, _Holder] = {}
    try:
        for table in tables:
            holders[table.oid] = _Holder(database, table)
        yield holders
    finally:
        for holder in holders.values():
            holder.close()


def _run_beside_holders(
    database: Database, connection: Connection, statement: str, tables: Iterable[_Relation]
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """Run a statement; return the locks that it took, and those that it asked for before it had done its work."""
    held: list[tuple[int, str]] = []
    early: list[tuple[int, str]] = []
    failed: list[psycopg.Error] = []
    pid = connection.info.backend_pid

    def run() -> None:
        try:
            connection.execute(statement.encode())
        except psycopg.Error as error:
            failed.append(error)

    with _holding(database, tables) as holders, database.connect() as watching:
        running = threading.Thread(target=run)
        running.start()
        while running.is_alive():
            running.join(0.002)
            waits = watching.execute(
                _WAITS,
                {"pid": pid},
            ).fetchone()
            if waits is None:
                continue
            relation, mode, blocking = waits
            stopped_by = [holder for holder in holders.values() if holder.pid in blocking]
            if not stopped_by:
                continue
            held += _locks(watching, pid)
            if relation is not None:
                held.append((relation, mode))
                if any(holder.holds == 2 for holder in stopped_by):
                    early.append((relation, mode))
            for holder in stopped_by:
                holder.let_go()
    if failed:
        raise failed[0]
    return _strongest(held), _strongest(early)


def _rows(connection: Connection, relations: dict[int, _Relation]) -> dict[int, int]:
    """Table or materialized view → its rows, where there are any."""
    counts = {}
    for oid, relation in relations.items():
        if relation.kind in "rm":
            name = sql.Identifier(*relation.name.split("."))
            row = connection.execute(sql.SQL("SELECT count(*) FROM ONLY {}").format(name)).fetchone()
            assert row
            counts[oid] = row[0]
    return {oid: count for oid, count in counts.items() if count}


def _look(connection: Connection) -> tuple[dict[int, _Relation], dict[int, int]]:
    """What is there, and how many rows."""
    relations = _relations(connection)
    return relations, _rows(connection, relations)


def _kinds(case: Case) -> str:
    """Of which kinds of relations locks are noted: indexes only where all locks are held at one time."""
    return "rpmviISf" if case.is_transactional and not case.measured_as else "rpmv"


def _measure_together(measuring: _Measuring, case: Case) -> Truth:
    """Measure the case's statements in one transaction, of which nothing stays."""
    measuring.in_transaction(case.statements)
    measuring.connection.rollback()
    return measuring.seen.truth()


def _measure_apart(measuring: _Measuring, case: Case) -> Truth:
    """Measure the case's statements each in a transaction of its own, or in none where it refuses."""
    for statement in case.statements:
        try:
            measuring.in_transaction([statement])
            measuring.connection.commit()
        except psycopg.errors.ActiveSqlTransaction:
            measuring.connection.rollback()
            measuring.connection.autocommit = True
            measuring.alone(statement)
            measuring.connection.autocommit = False
    return measuring.seen.truth()


def make(server: RunningServer, name: str, template: str) -> Database:
    """Make a database from a template."""
    with server.database.connect() as admin:
        admin.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY file_copy").format(
                sql.Identifier(name), sql.Identifier(template)
            )
        )
    return server.database.with_name(name)


def drop(server: RunningServer, name: str) -> None:
    """Drop a database, whoever is in it."""
    with server.database.connect() as admin:
        admin.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@contextmanager
def running(version: str) -> Iterator[RunningServer]:
    """A server on which the statements of the corpus can be measured."""
    server = start_server(version, settings=_SETTINGS)
    try:
        with server.database.connect() as admin:
            admin.execute("CREATE TABLESPACE elsewhere LOCATION ''")
        yield server
    finally:
        stop_server(server)


def measure(server: RunningServer, cases: Sequence[Case] = CASES, *, rows: int = ROWS) -> dict[str, Truth]:
    """What each case does that this version has, on tables of so many rows."""
    filled = make(server, "corpus_filled", "template0")
    with filled.connect() as connection:
        connection.execute("SELECT set_config('corpus.rows', %s, false)", (str(rows),))
        connection.execute(SCHEMA.encode())
        connection.execute(FILL.encode())
        connection.execute("VACUUM ANALYZE")
    shared = make(server, "corpus_shared", "corpus_filled")
    found = {}
    with closing(shared.connect()) as connection:
        known = _look(connection)
        connection.autocommit = False
        for case in cases:
            if case.since > int(server.version):
                continue
            if case.is_transactional and not case.given and not case.filled:
                found[case.name] = _measure_together(_Measuring(shared, connection, *known, _kinds(case)), case)
            else:
                found[case.name] = _measure_in_a_clone(server, case)
    for name in ("corpus_shared", "corpus_filled"):
        drop(server, name)
    return found


def _measure_in_a_clone(server: RunningServer, case: Case) -> Truth:
    database = make(server, "corpus_case", "corpus_filled")
    try:
        with closing(database.connect()) as connection:
            connection.execute(f"{case.given}\n;{case.filled}".encode())
            measuring = _Measuring(database, connection, *_look(connection), _kinds(case))
            connection.autocommit = False
            measure = _measure_together if case.is_transactional else _measure_apart
            return measure(measuring, case)
    finally:
        drop(server, "corpus_case")


def path(version: str) -> Path:
    """Where what was seen on a version is written down."""
    return FOLDER / f"truth-{version}.json"


def read(version: str) -> dict[str, Truth]:
    """What was seen on a version: case → truth."""
    cases = json.loads(path(version).read_text(encoding="utf-8"))["cases"]
    return {name: _truth(**seen) for name, seen in cases.items()}


def _truth(
    *, locks: dict[str, str], rewrites: list[str], scans: list[str], builds: list[str], rows: list[str], harmful: bool
) -> Truth:
    return Truth(locks, tuple(rewrites), tuple(scans), tuple(builds), tuple(rows), harmful)


def write(server: RunningServer, truths: dict[str, Truth]) -> None:
    """Write down what was seen, one case a line."""
    with server.database.connect() as connection:
        exact = connection.info.parameter_status("server_version")
    lines = ",\n".join(
        f"{json.dumps(name)}: " + json.dumps({key: getattr(truth, key) for key in Truth.__slots__})
        for name, truth in truths.items()
    )
    text = f'{{"postgresql": {json.dumps(exact)}, "rows": {ROWS}, "cases": {{\n{lines}\n}}}}\n'
    path(server.version).write_text(text, encoding="utf-8")


def main(versions: Sequence[str]) -> None:
    """Measure, and write what was seen."""
    for version in versions or VERSIONS:
        if version not in BIN:
            sys.exit(f"no programs of PostgreSQL {version} here; make servers fetches them")
        with running(version) as server:
            truths = measure(server)
            write(server, truths)
        harmful = sum(truth.harmful for truth in truths.values())
        print(f"PostgreSQL {version}: {len(truths)} cases, {harmful} harmful", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])

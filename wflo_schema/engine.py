"""Plan, migrate, roll back, status, baseline: the only writer of a target's schema and ledger.

A migration is one network round trip: ``BEGIN``, its ledger row **first**, its statements one by
one, ``COMMIT``, ``DISCARD ALL``.  The ledger's primary key is the lock: whoever comes second waits
on the row, is told that it is there, plans again and goes on.  No session state is needed (so
pgbouncer in transaction mode is fine) and a kill leaves nothing.  Hides locks, transactions,
retries and what PostgreSQL's errors mean.
"""

from __future__ import annotations

import enum
import functools
import random
import re
import secrets
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema import ledger as ledger_module
from wflo_schema.database import PATIENT, WATCHED, Database, database_error, load_sql, quote_identifier
from wflo_schema.errors import (
    BadMigrationFile,
    ConnectionLost,
    DatabaseError,
    Interrupted,
    LockNotAcquired,
    MigrationFailed,
    Refused,
    WfloSchemaError,
)
from wflo_schema.findings import Location, OrphanRows
from wflo_schema.ledger import Ledger, Progress, Record
from wflo_schema.migration import (
    Migration,
    Migrations,
    Script,
    Statement,
    load,
    load_rollback,
    migration_hash,
    parse_duration_ms,
    some,
)
from wflo_schema.pipeline import TICK_S, Aside, Command, Exchange, Pipeline, Row, ServerError, Stop, StoppedWaiting

LOCK_TIMEOUT_MS = 900
# Milliseconds a statement waits for a lock: as long as it waits, everybody behind it waits too.  Less
# than PostgreSQL's deadlock_timeout of 1 s, so that of a migration and a writer that wait for each
# other it is the migration that gives way, before the server has to choose.

LOCK_WAIT_S = 60.0
# Seconds in all that a migration is tried again for after lock timeouts and deadlocks.

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0
# Pauses between two tries: doubled each time, times 0.5 to 1.5 at random.

_FLUSH_EVERY_S = 0.25
# Seconds of work at most that is reported late because its commit was not yet waited for.

_POLL_S = 0.2
# Seconds between looks at a lock that another run holds.

_LOOK_S = 0.1
# Seconds to wait for the answer to a look at what blocks us.

_SHORTEST_LOOK_S, _SHORTEST_TICK_S = 0.02, 0.003
# Seconds between two looks at what blocks us, and between asking whether one is due, at least.

_PROBE_S = 1.0
# Seconds that a pooler has for lending a session to a second connection.

_PING_S = 0.5
# Seconds between signs of life in a pause: a server may end sessions that are idle for longer.

_LONGEST_AHEAD = 1_000_000
# Characters of a migration's text up to which the next one is sent while it runs.

_KEPT_TEXT = 4_000_000
# Characters of migration text kept from validation to execution; what is beyond is read again.

_MOST_CONFLICTS = 20
# Times in a row that somebody else may be found to have recorded a migration that then is pending again.

_RETRIED = frozenset({"55P03", "40P01", "40001"})
# lock_not_available, deadlock_detected, serialization_failure: nothing is wrong with the file.


class State(enum.StrEnum):
    """Where one migration stands."""

    APPLIED = "applied"
    """Recorded in the ledger; the file is there, and equal where its checksum is known."""
    PENDING = "pending"
    """On disk and not recorded."""
    CHANGED = "changed"
    """Recorded, and the file's checksum differs."""
    MISSING = "missing"
    """Recorded, and there is no such file; other files sort after it."""
    AHEAD = "ahead"
    """Recorded, and it sorts after every file: the database is ahead of the files."""


class Allow(enum.StrEnum):
    """What stops `migrate` unless it is allowed by name."""

    CHANGED = "changed"
    MISSING = "missing"
    AHEAD = "ahead"
    LATE = "late"
    """A pending migration sorts before one that is applied."""
    HEADS = "heads"
    """The ``-- depends:`` lines make a history with two ends."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One migration and its state.

    ``applied_at`` is UTC in ISO 8601, ``has_checksum`` False where plain yoyo recorded it.
    ``is_late`` says that a migration after it is applied.  ``statements_done`` counts for a
    non-transactional one that was interrupted.
    """

    id: str
    state: State
    path: str | None = None
    applied_at: str | None = None
    has_checksum: bool = False
    is_late: bool = False
    statements_done: int | None = None


@dataclass(frozen=True, slots=True)
class Status:
    """Every migration of the files and of the ledger, in order of application."""

    label: str
    schema: str
    server_version: str
    has_ledger: bool
    entries: tuple[Entry, ...]
    heads: tuple[tuple[str, ...], ...] = ()

    def _of(self, *states: State) -> tuple[Entry, ...]:
        return tuple(e for e in self.entries if e.state in states)

    @property
    def applied(self) -> tuple[Entry, ...]:
        """Recorded, with an unchanged file."""
        return self._of(State.APPLIED)

    @property
    def pending(self) -> tuple[Entry, ...]:
        """Not recorded."""
        return self._of(State.PENDING)

    @property
    def changed(self) -> tuple[Entry, ...]:
        """Recorded, and the file was edited since."""
        return self._of(State.CHANGED)

    @property
    def missing(self) -> tuple[Entry, ...]:
        """Recorded, and the file is gone."""
        return self._of(State.MISSING)

    @property
    def unknown(self) -> tuple[Entry, ...]:
        """Recorded, and newer than every file."""
        return self._of(State.AHEAD)


@dataclass(frozen=True, slots=True)
class Plan:
    """What `migrate` would do: migrations to run, in order, and why it would refuse to."""

    status: Status
    pending: tuple[Migration, ...]
    refusals: tuple[tuple[Allow, str, str], ...]
    """Case, what is wrong, how to mend it."""


@dataclass(frozen=True, slots=True)
class Begun:
    """A run is about to change this database."""

    label: str
    schema: str
    server_version: str
    operation: str
    total: int


@dataclass(frozen=True, slots=True)
class Running:
    """A migration is being run, for ``elapsed_s`` seconds now; ``progress`` is PostgreSQL's word on it."""

    id: str
    number: int
    total: int
    elapsed_s: float = 0.0
    progress: str = ""


@dataclass(frozen=True, slots=True)
class Done:
    """A migration was applied or rolled back, and the commit is on disk."""

    id: str
    operation: str
    duration_ms: float
    statements: int
    number: int
    total: int


@dataclass(frozen=True, slots=True)
class Blocker:
    """A session that ours waits for.  ``is_colleague``: another run of this tool."""

    pid: int
    username: str
    application_name: str
    state: str
    since_s: float
    query: str
    relation: str

    @property
    def is_colleague(self) -> bool:
        """True for another run of this tool."""
        return self.application_name.startswith("wflo-schema")

    def __str__(self) -> str:
        app = f", {self.application_name}" if self.application_name else ""
        query = " ".join(self.query.split())
        said = f": {query[:120]}{'…' if len(query) > 120 else ''}" if query else ""
        who = f"pid {self.pid} ({self.username or 'unknown user'}{app})" if self.pid else "a prepared transaction"
        return f"{who} {self.state or 'active'} for {self.since_s:.1f} s{said}"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A migration waits for a lock that these sessions hold or are queued for."""

    id: str
    blockers: tuple[Blocker, ...]
    waited_s: float


@dataclass(frozen=True, slots=True)
class Retrying:
    """A lock was not to be had in time; the migration was rolled back and will be tried again."""

    id: str
    reason: str
    pause_s: float
    attempt: int
    blockers: tuple[Blocker, ...]


@dataclass(frozen=True, slots=True)
class Notice:
    """PostgreSQL, or the engine (severity REPAIR), said something of a migration."""

    id: str
    severity: str
    message: str


Event = Begun | Running | Done | Waiting | Retrying | Notice


@dataclass(frozen=True, slots=True)
class Result:
    """What a run did.  ``round_trips`` counts exchanges with the server after connecting."""

    label: str
    schema: str
    server_version: str
    operation: str
    done: tuple[Done, ...]
    duration_ms: float
    round_trips: int

    @property
    def ids(self) -> tuple[str, ...]:
        """The migrations that were done, in order."""
        return tuple(d.id for d in self.done)


_SETS_LOCK_TIMEOUT = re.compile(
    r"""\A(?:RESET\s+"?lock_timeout"?
        | SET\s+(?P<scope>LOCAL\s+|SESSION\s+)?"?lock_timeout"?\s*(?:=|\bTO\b)\s*(?P<value>.+?))\s*\Z""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class LockOptions:
    """How long to wait for locks: each statement, and all tries together.

    ``timeout_ms``, where given, is the most that a file may ask for, by its directive or by SET; 0
    waits for ever.  None leaves it to the file, else `LOCK_TIMEOUT_MS`.
    """

    timeout_ms: int | None = None
    wait_s: float = LOCK_WAIT_S

    def of(self, wish_ms: int | None) -> int:
        """The timeout for a file that wishes for ``wish_ms``: 0 is for ever."""
        if self.timeout_ms is None:
            return LOCK_TIMEOUT_MS if wish_ms is None else wish_ms
        if wish_ms is None or self.timeout_ms == 0:
            return self.timeout_ms
        return min(self.timeout_ms, wish_ms) if wish_ms else self.timeout_ms

    def capped(self, text: str) -> str:
        """The statement, or what it becomes where it would set lock_timeout beyond what is allowed."""
        match = _SETS_LOCK_TIMEOUT.match(text) if self.timeout_ms else None
        if match is None or self.timeout_ms is None:
            return text
        try:
            wish_ms = parse_duration_ms(match["value"]) if match["value"] else 0
        except ValueError:
            wish_ms = 0  # DEFAULT: the server's, which is to wait for ever
        scope = (match["scope"] or "").strip()
        return f"SET {scope} lock_timeout = {self.of(wish_ms)}"


Notify = Callable[[Event], None]


def status(database: Database, migrations: Migrations, *, lock_timeout_ms: int | None = None) -> Status:
    """Compare files and ledger.  Writes nothing, and needs no more than SELECT on the ledger.

    Raise `CannotRead` when the ledger is there and may not be read, `DatabaseError` with sqlstate
    55P03 when it is locked for ``lock_timeout_ms`` (None: the server's own).
    """
    with _Run.on(database, settings={**WATCHED, **PATIENT}) as run:
        return _status(run, migrations, lock_timeout_ms)


def plan(database: Database, migrations: Migrations, *, to: str | None = None, allow: Collection[Allow] = ()) -> Plan:
    """Say what `migrate` would do with the same arguments, and what would stop it.  Writes nothing."""
    with _Run.on(database) as run:
        return _plan(_status(run, migrations), migrations, to, allow)


def migrate(
    database: Database,
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
) -> Result:
    """Apply every pending migration, or those up to and including ``to``.

    Each commits together with its record; any number of runs at once do the work once; a killed run
    is finished by the next one.  ``notify`` is told of a migration only once its commit is on disk.

    Raise `BadMigrationFile` before anything runs; `Refused` when files and ledger do not fit and
    ``allow`` does not name the case; `MigrationFailed` (`LockNotAcquired`) after rolling back one
    migration; `Interrupted` when ``stop`` was requested; `ConnectionLost`.  The errors' ``applied``
    and ``not_tried`` say what this run did before.
    """
    if not len(migrations):
        where = " and ".join(migrations.directories)
        raise Refused(
            f"there is no migration in {where}",
            hint='name the right folder with --migrations, or write one: wflo-schema new "create tables"',
        )
    began = time.monotonic()
    with _Run.on(database, locks=locks, notify=notify, stop=stop) as run:
        planned = _plan(_status(run, migrations), migrations, to, allow)
        _refuse(planned)
        scripts = _Scripts(planned.pending, load)
        scripts.validate()
        run.begin("apply", len(planned.pending))
        run.migrate(planned, migrations, to, allow, scripts)
        return run.result("apply", began)


def rollback(
    database: Database,
    migrations: Migrations,
    *,
    count: int = 1,
    to: str | None = None,
    only: str | None = None,
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
) -> Result:
    """Roll back the last ``count`` migrations, or all after ``to`` (which stays), or ``only`` one.

    Every rollback file is read before anything runs.  Raise `Refused` when one is missing, empty or
    all comment without ``-- nothing-to-undo``, when the ledger holds migrations whose files are
    gone on the way, or when others that are applied depend on ``only``; else as `migrate`.
    """
    began = time.monotonic()
    with _Run.on(database, locks=locks, notify=notify, stop=stop) as run:
        targets = _rollback_targets(_status(run, migrations), migrations, count, to, only)
        scripts = _Scripts(targets, _load_rollback)
        scripts.validate()
        run.begin("rollback", len(targets))
        run.roll_back(targets, scripts)
        return run.result("rollback", began)


def baseline(
    database: Database,
    migrations: Migrations,
    ids: Sequence[str],
    *,
    aside: Sequence[str] = (),
    verify: Callable[[], None] | None = None,
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
) -> Result:
    """Record migrations as applied without running them, all in one transaction.

    A row without checksum, which plain yoyo wrote, gets one.  ``aside`` are ids that are recorded
    and belong to other files: their rows stay, and are from then on not missing here.  ``verify``
    is called when everything is ready and no lock is held, right before recording; what it raises
    stops the run.  Without it nothing is verified: that is the caller's part.  Raise `Refused` when
    one is recorded already, with its checksum, and `DatabaseError` with sqlstate 55P03 when the
    ledger stays locked for as long as ``locks`` says.
    """
    began = time.monotonic()
    chosen = [migrations.resolve(i) for i in ids]
    with _Run.on(database, locks=locks, notify=notify, stop=stop) as run:
        entries = {e.id: e for e in _status(run, migrations).entries if e.state != State.PENDING}
        again = [m.id for m in chosen if m.id in entries and entries[m.id].has_checksum]
        if again:
            raise Refused(
                f"already recorded as applied: {some(again)}", hint="leave them out; wflo-schema status lists them"
            )
        run.begin("mark", len(chosen))
        run.mark(chosen, recorded=entries, aside=aside, verify=verify)
        return run.result("mark", began)


def _status(run: _Run, migrations: Migrations, lock_timeout_ms: int | None = None) -> Status:
    ledger = run.ledger
    recorded, progress = run.read(lock_timeout_ms)
    by_hash = {r.hash: r for r in recorded}
    run.recorded = frozenset(by_hash)
    migrations.refuse_absent(by_hash)
    half_way = {p.hash: p for p in progress}
    entries: list[Entry] = []
    hashes = [m.hash for m in migrations]
    last_applied = max((n for n, hash in enumerate(hashes) if hash in by_hash), default=-1)
    for number, (m, hash) in enumerate(zip(migrations, hashes, strict=True)):
        record = by_hash.get(hash)
        begun = half_way.get(hash)
        done = begun.statements_done if begun else None
        if record is None:
            entries.append(Entry(m.id, State.PENDING, m.path, is_late=number < last_applied, statements_done=done))
            continue
        is_changed = record.checksum is not None and record.checksum != m.checksum
        state = State.CHANGED if is_changed else State.APPLIED
        entries.append(Entry(m.id, state, m.path, record.applied_at, record.checksum is not None, statements_done=done))
    newest = max((m.id for m in migrations), default="")
    known = set(hashes)
    gone = sorted((r for r in recorded if r.hash not in known and not r.is_beside), key=lambda r: r.id)
    for record in gone:
        state = State.AHEAD if record.id > newest else State.MISSING
        entries.append(Entry(record.id, state, None, record.applied_at, record.checksum is not None))
    if gone:
        entries.sort(key=lambda e: (e.state == State.AHEAD, e.id) if e.path is None else (False, e.id))
        order = {m.id: n for n, m in enumerate(migrations)}
        if any(m.depends for m in migrations):
            entries.sort(key=lambda e: order.get(e.id, len(order) if e.state == State.AHEAD else -1))
    return Status(
        run.database.label, ledger.schema, ledger.server_version, ledger.is_there, tuple(entries), migrations.heads()
    )


def _plan(status: Status, migrations: Migrations, to: str | None, allow: Collection[Allow]) -> Plan:
    waiting = {e.id: e for e in status.pending}
    wanted = list(migrations)
    if to is not None:
        last = migrations.resolve(to)
        wanted = wanted[: wanted.index(last) + 1]
    pending = tuple(m for m in wanted if m.id in waiting)
    found = _objections(status, pending, late=[m.id for m in pending if waiting[m.id].is_late])
    return Plan(status, pending, tuple(f for f in found if f[0] not in allow))


def _objections(
    status: Status, pending: Sequence[Migration], *, late: Sequence[str]
) -> Iterator[tuple[Allow, str, str]]:
    """What stands against migrating: the case, what it is, and how to put it right."""
    if status.changed:
        were = _count(status.changed, "applied migration was", "applied migrations were")
        yield (
            Allow.CHANGED,
            f"{were} changed since: {some(e.id for e in status.changed)}",
            "bring the file back as it was and write a new migration for the change",
        )
    if status.missing:
        have = _count(status.missing, "applied migration has", "applied migrations have")
        yield (
            Allow.MISSING,
            f"{have} no file any more: {some(e.id for e in status.missing)}",
            "bring the file back (git log --diff-filter=D -- 'migrations/*')",
        )
    if status.unknown:
        yield (
            Allow.AHEAD,
            f"the database is ahead of the files: it has {some(e.id for e in status.unknown)}",
            "run it with the newer files, or name their folder with --migrations",
        )
    if late:
        yield (
            Allow.LATE,
            f"{_count(late, 'pending migration sorts', 'pending migrations sort')} before one that is applied: "
            f"{some(late)}",
            "rename it so that it comes last, if it was merged late",
        )
    if status.heads and pending:
        ends = "; ".join(" and ".join(h) for h in status.heads)
        yield (
            Allow.HEADS,
            f"the history has {len(status.heads[0])} heads: {ends}",
            "write a migration with -- depends: on all of them, or let one depend on the other",
        )


def _refuse(planned: Plan) -> None:
    if not planned.refusals:
        return
    case, what, _ = planned.refusals[0]
    lines = [what, *(w for _, w, _ in planned.refusals[1:])]
    hints = [f"{how}; to go on all the same: --allow {c}" for c, _, how in planned.refusals]
    raise Refused("\n".join(lines), hint="\n".join(hints), case=case.value)


def _rollback_targets(
    status: Status, migrations: Migrations, count: int, to: str | None, only: str | None
) -> tuple[Migration, ...]:
    recorded = {e.id for e in (*status.applied, *status.changed)}
    in_order = [m for m in migrations if m.id in recorded]
    if only is not None:
        one = migrations.resolve(only)
        if one.id not in recorded:
            raise Refused(f"{one.id} is not applied", hint="wflo-schema status lists what is")
        dependents = _dependents(one, in_order)
        if dependents:
            raise Refused(
                f"{one.id} cannot be rolled back: "
                f"{_count(dependents, 'applied migration depends', 'applied migrations depend')}"
                f" on it: {', '.join(dependents)}",
                hint=f"roll them back first: wflo-schema rollback --to {one.id}",
            )
        return (one,)
    if status.unknown and (count > 0 or to is not None):
        raise Refused(
            f"the last migration applied has no file here: {some(e.id for e in status.unknown)}",
            hint="run it with the newer files, or name their folder with --migrations",
            case=Allow.AHEAD.value,
        )
    if to is not None:
        last = migrations.resolve(to)
        if last.id not in recorded:
            raise Refused(
                f"{last.id} is not applied, so nothing can be rolled back to it",
                hint="wflo-schema status lists what is",
            )
        targets = in_order[in_order.index(last) + 1 :]
    else:
        targets = in_order[-count:] if count > 0 else []
    _refuse_gone(status, targets)
    return tuple(reversed(targets))


def _refuse_gone(status: Status, targets: Sequence[Migration]) -> None:
    """What was applied after the first of ``targets`` and has no file stands on what would be taken away."""
    inside = {m.id for m in targets}
    since = min((e.applied_at or "" for e in status.entries if e.id in inside), default="")
    gone = [e.id for e in status.missing if inside and (e.applied_at or "") > since]
    if gone:
        raise Refused(
            f"{_count(gone, 'migration', 'migrations')} applied on the way back to {targets[0].id} "
            f"{'has' if len(gone) == 1 else 'have'} no file any more: {some(gone)}",
            hint="bring the file back (git log --diff-filter=D -- 'migrations/*'), "
            "or roll back one by one, by id: wflo-schema rollback ID",
            case=Allow.MISSING.value,
        )


def _dependents(one: Migration, applied: Sequence[Migration]) -> list[str]:
    inside = {one.id}
    for m in applied:
        if inside & set(m.depends):
            inside.add(m.id)
    return [m.id for m in applied if m.id in inside and m.id != one.id]


def _load_rollback(m: Migration) -> Script:
    script = load_rollback(m)
    if script is None:
        raise Refused(
            f"{m.id} has no rollback file, so it cannot be rolled back",
            hint=f"write {m.path.removesuffix('.sql')}.rollback.sql; "
            "with nothing to undo it says: -- nothing-to-undo: why",
        )
    if not script.statements and not script.nothing_to_undo:
        raise Refused(
            f"{script.path} holds no statement, so rolling back {m.id} would undo nothing",
            hint="write what takes it back, or say so in the file: -- nothing-to-undo: why",
        )
    return script


class _Scripts:
    """The statements of the migrations to run: all read and refused before anything runs."""

    def __init__(self, migrations: Sequence[Migration], loader: Callable[[Migration], Script]) -> None:
        self._migrations = migrations
        self._loader = loader
        self._kept: dict[str, Script] = {}

    def validate(self) -> None:
        kept = 0
        for m in self._migrations:
            script = self._loader(m)
            if not m.is_transactional:
                for statement in script.statements:
                    _refuse_unresumable(script, statement)
            kept += len(script.text)
            if kept <= _KEPT_TEXT:
                self._kept[m.id] = script

    def take(self, m: Migration) -> Script:
        return self._kept.pop(m.id, None) or self._loader(m)


def _refuse_unresumable(script: Script, statement: Statement) -> None:
    build = _index_build(statement.text)
    if build is not None and not build.name:
        raise BadMigrationFile(
            f"{script.path}:{statement.line}: CREATE INDEX CONCURRENTLY without a name",
            hint="name the index: without a name, what an interrupted build leaves behind cannot be found again",
            location=Location(script.path, statement.line, statement.column),
        )
    if _GIVES_UP_LOCKS.match(statement.text):
        raise BadMigrationFile(
            f"{script.path}:{statement.line}: {' '.join(statement.text.split())[:60]} gives up the lock that keeps "
            "a second run from doing the same statements at the same time",
            hint="remove it: the session is cleared after each migration; a lock is released by pg_advisory_unlock",
            location=Location(script.path, statement.line, statement.column),
        )


_GIVES_UP_LOCKS = re.compile(
    r"\A(?:DISCARD\s+ALL\b|(?:SELECT|WITH|VALUES|DO|TABLE)\b.*\bpg_advisory_unlock_all\b)", re.IGNORECASE | re.DOTALL
)


@dataclass(frozen=True, slots=True)
class _IndexBuild:
    name: str
    table: str
    if_not_exists: bool


def _index_build(text: str) -> _IndexBuild | None:
    """What CREATE INDEX CONCURRENTLY is about to build; None for any other statement."""
    node = _parse_one(text, "index_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return None
    relation = node.relation
    parts = [p for p in (relation.schemaname, relation.relname) if p]
    return _IndexBuild(node.idxname, sql.Identifier(*parts).as_string(), node.if_not_exists)


def _parse_one(text: str, node: str) -> Any:
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField(node):
        return None
    return getattr(tree.stmts[0].stmt, node)


_ALONE = re.compile(
    r"""\A(?:
        CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY
      | DROP\s+INDEX\s+CONCURRENTLY
      | REINDEX | VACUUM | CLUSTER
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)
      | (?:CREATE|ALTER|DROP)\s+SUBSCRIPTION
      | ALTER\s+(?:SYSTEM|DATABASE)
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\b(?:CONCURRENTLY|FINALIZE)
    )\b""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# Statements that PostgreSQL refuses inside a transaction block.  Others are tried in one first, with
# their progress: DO and CALL too, which run alone only where they turn out to commit by themselves.

_WHOLE = re.compile(r"\A(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)\b", re.IGNORECASE)
# Of those, the ones that are done as a whole or not at all, and fail when they are done again.

_DONE_ALREADY = {"CREATE": ("42P04", "42710"), "DROP": ("3D000", "42704")}
# What they then fail with: duplicate_database, duplicate_object; invalid_catalog_name, undefined_object.

_WAITS_HARMLESSLY = re.compile(r"\A(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)
# They wait for transactions to end, often long, in a lock mode that keeps no reader or writer waiting.


_OUT_OF_DATE = frozenset({"23505", "23502", "22012", "42P01", "3F000"})
# What the ledger's statements fail with when the ledger is not as planned: the row is there already,
# a predecessor is not, the set differs (see ledger_delete.sql), or the tables are gone.

_BEGIN = Command("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
_COMMIT = Command("COMMIT")
_ROLLBACK = Command("ROLLBACK")
_DISCARD = Command("DISCARD ALL")
_GET_LOCK_TIMEOUT = Command("SELECT pg_catalog.current_setting('lock_timeout')", keeps_rows=True)
_NO_LOCK_TIMEOUT = Command("SELECT pg_catalog.set_config('lock_timeout', '0', FALSE)")
# DISCARD ALL may share a pipeline with what precedes it, because COMMIT has ended the transaction.


_TOO_LONG = {
    "25P03": "idle_in_transaction_session_timeout",
    "25P04": "transaction_timeout",
    "57P05": "idle_session_timeout",
}
# What ends the session when it takes longer, and would do so again.

_SESSION_SETTINGS = {"default_transaction_read_only": "off", "default_transaction_isolation": "read committed"}
# What BEGIN says for a transaction, for statements that run outside of one.


_MAY_LOSE_RECORD = re.compile(r"\b(?:DROP|ALTER)\s+SCHEMA\b|\bDROP\s+OWNED\b|\bEXECUTE\b|_yoyo_", re.IGNORECASE)
# What a file must say to be able to take its own record away, or the ledger with it.

_ROLL_BACK_AGAIN = "look at wflo-schema status first: a rollback that is run again takes back the next one"


@dataclass(frozen=True, slots=True)
class _Transaction:
    """A migration as it is sent: what begins it and changes the ledger, settings, statements, the end.

    ``is_guarded``: the last command before COMMIT looks whether its record is still there.
    ``is_followed``: another is sent behind it, and clears the session; else it is cleared at once.
    """

    migration: Migration
    script: Script
    commands: tuple[Command, ...]
    share_index: int
    """Where it asks whether a non-transactional run is at work."""
    ledger_index: int
    first_statement: int
    is_flushed: bool = True
    is_guarded: bool = False
    is_followed: bool = False

    @property
    def commit_index(self) -> int:
        return len(self.commands) - 1

    @property
    def sent(self) -> tuple[Command, ...]:
        """With what clears the session, where nothing comes behind it that does."""
        return self.commands if self.is_followed else (*self.commands, _DISCARD)


class _Conflict(Exception):
    """The plan is out of date: somebody else recorded or removed a migration."""


class _Run:
    """One connection, one operation."""

    def __init__(
        self,
        database: Database,
        connection: psycopg.Connection[TupleRow],
        *,
        locks: LockOptions,
        notify: Notify,
        stop: Stop,
        token: str,
    ) -> None:
        self.database = database
        self._locks = locks
        self._notify = notify
        self._stop = stop
        self._token = token
        self._connection = connection
        self._pipeline = Pipeline(connection, stop=stop, on_wait=self._watch, on_notice=self._notice)
        self._watcher: Aside | None = None
        self._look_every_s = 0.5
        self._look_at = self._tell_at = self._tell_blockers_at = 0.0
        self._not_seen = ""
        """Why the second connection could not look."""
        self._blockers: tuple[Blocker, ...] = ()
        self._current: Running | None = None
        self._total = 0
        self._done: list[Done] = []
        self._unflushed: list[Done] = []
        self._flushed_at = time.monotonic()
        self._queue: deque[Migration] = deque()
        self._ahead: _Transaction | None = None
        self.recorded: frozenset[str] = frozenset()
        """Hashes of the ledger's rows when the plan was made."""
        self._done_checksums: tuple[str, ...] = ()
        self._as_ourselves: list[Command] = []
        self._operation = ""
        self.ledger: Ledger = ledger_module.find(self._pipeline, database.schema)

    @classmethod
    @contextmanager
    def on(
        cls,
        database: Database,
        *,
        locks: LockOptions | None = None,
        notify: Notify | None = None,
        stop: Stop | None = None,
        settings: Mapping[str, str] = WATCHED,
    ) -> Iterator[_Run]:
        token = f"wflo-schema {secrets.token_hex(3)}"
        connection = database.with_parameters(application_name=token).connect(settings=settings)
        run: _Run | None = None
        try:
            run = cls(
                database,
                connection,
                locks=locks or LockOptions(),
                notify=notify or (lambda event: None),
                stop=stop or Stop(),
                token=token,
            )
            yield run
        except StoppedWaiting:
            assert run is not None
            raise run.stopped(
                "the server has not answered; whether it was applied, wflo-schema status will say"
            ) from None
        except ConnectionLost as error:
            if run is not None and run._current is not None:
                run._unflushed.clear()
                also = f", with {run._ahead.migration.id} behind it" if run._ahead else ""
                error.message = f"{error.message}, while {run._current.id} was being run{also}"
                error.hint = run._how_to_go_on()
                if error.sqlstate in _TOO_LONG:
                    error.hint += f"; but first raise {_TOO_LONG[error.sqlstate]} of this role or database"
                run._complete(error)
            raise
        except WfloSchemaError as error:
            if run is not None:
                if isinstance(error, DatabaseError) and error.sqlstate == "57014" and run._stop.is_requested:
                    raise run.stopped("nothing was under way") from None
                run._flush_quietly()
                run._complete(error)
            raise
        except KeyboardInterrupt:
            if run is not None:
                run._pipeline.cancel()
            raise
        finally:
            if run is not None:
                run._close()
            else:
                connection.close()

    @property
    def _beside(self) -> Database:
        """For a second connection: of several hosts the one that we are connected to."""
        if not any("," in self.database.parameters.get(name, "") for name in ("host", "hostaddr")):
            return self.database
        info = self._connection.info
        return self.database.with_parameters(host=info.host, hostaddr=info.hostaddr, port=str(info.port))

    def _how_to_go_on(self) -> str:
        if self._operation == "rollback":
            return f"it was either rolled back as a whole or not at all; {_ROLL_BACK_AGAIN}"
        return "it was either applied as a whole or not at all; run it again: it goes on where it stopped"

    def _complete(self, error: WfloSchemaError) -> None:
        error.applied = tuple(d.id for d in self._done)
        begun = {self._current.id if self._current else None, self._ahead.migration.id if self._ahead else None}
        error.not_tried = tuple(m.id for m in self._queue if m.id not in begun)

    def _close(self) -> None:
        self._pipeline.close()
        if self._watcher is not None:
            self._watcher.close()

    def begin(self, operation: str, total: int) -> None:
        """Announce the run, once it is known that nothing forbids it."""
        if total and self.ledger.is_standby:
            raise Refused(
                f"{self.database.label} is a standby, which cannot be written to",
                hint="name the primary server instead",
            )
        self._total = total
        self._operation = operation
        self._notify(Begun(self.database.label, self.ledger.schema, self.ledger.server_version, operation, total))

    def result(self, operation: str, began: float) -> Result:
        return Result(
            self.database.label,
            self.ledger.schema,
            self.ledger.server_version,
            operation,
            tuple(self._done),
            (time.monotonic() - began) * 1000,
            self._pipeline.round_trips,
        )

    def read(self, lock_timeout_ms: int | None = None) -> tuple[tuple[Record, ...], tuple[Progress, ...]]:
        return ledger_module.read(self._pipeline, self.ledger, lock_timeout_ms=lock_timeout_ms)

    # migrate

    def migrate(
        self, planned: Plan, migrations: Migrations, to: str | None, allow: Collection[Allow], scripts: _Scripts
    ) -> None:
        queue = deque(planned.pending)
        recorded = {e.id for e in planned.status.entries if e.state != State.PENDING}
        order = {m.id: n for n, m in enumerate(migrations)}
        in_order = list(migrations)
        conflicts: Counter[str] = Counter()
        if queue and not self.ledger.is_complete:
            self._make_ledger()
        while queue:
            m = queue[0]
            self._queue = queue
            if self._ahead is None:
                self._check_stop()
            predecessors = self._predecessors(m, in_order, order[m.id], recorded)
            try:
                if m.is_transactional:
                    one, is_sent = self._ahead, self._ahead is not None
                    if one is None:
                        behind = queue[1] if len(queue) > 1 else None
                        one = self._as_transaction(m, scripts.take(m), predecessors, behind=behind)

                    following = functools.partial(self._following, queue, scripts, in_order, order, recorded)
                    self._apply(one, following, is_sent=is_sent)
                else:
                    self._apply_by_statement(m, scripts.take(m), "apply", predecessors)
                recorded.add(m.id)
                queue.popleft()
            except _Conflict:
                conflicts[m.id] += 1
                if conflicts[m.id] > _MOST_CONFLICTS:
                    raise DatabaseError(
                        f"the ledger in schema {self.ledger.schema} does not take a record of {m.id}, "
                        "and does not show one either",
                        hint="may this role see all of its rows? look at policies and triggers on _yoyo_migration",
                    ) from None
                self._current = None
                self.ledger = ledger_module.find(self._pipeline, self.database.schema)
                if not self.ledger.is_complete:
                    self._make_ledger()
                again = _plan(_status(self, migrations), migrations, to, allow)
                _refuse(again)
                recorded = {e.id for e in again.status.entries if e.state != State.PENDING}
                queue = deque(again.pending)
                self._total = len(self._done) + len(self._unflushed) + len(queue)
        self._queue = deque()
        self._flush()

    def _make_ledger(self) -> None:
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            try:
                lock_timeout_ms = self._locks.of(None)
                self.ledger = ledger_module.create(self._pipeline, self.ledger, lock_timeout_ms=lock_timeout_ms)
                break
            except DatabaseError as error:
                left = self._locks.wait_s - (time.monotonic() - began)
                if error.sqlstate not in _RETRIED or left <= 0:
                    raise
                pause_s = min(left, _FIRST_PAUSE_S * 2 ** min(attempt, 5))
                self._notify(Retrying("the ledger", error.message, pause_s, attempt, ()))
                self._sleep(pause_s, None)
        self._settle()

    @staticmethod
    def _predecessors(m: Migration, in_order: Sequence[Migration], number: int, recorded: Collection[str]) -> list[str]:
        """Hashes that must still be recorded when this one is: the one before, and what it depends on."""
        needed = [i for i in m.depends if i in recorded]
        before = next((in_order[n].id for n in range(number - 1, -1, -1) if in_order[n].id in recorded), None)
        if before is not None and before not in needed:
            needed.append(before)
        return [migration_hash(i) for i in needed]

    def _settings(self, m: Migration, *, is_flushed: bool = True) -> dict[str, str]:
        settings = {"lock_timeout": str(self._locks.of(m.lock_timeout_ms))}
        if self.database.schema is not None:
            settings["search_path"] = quote_identifier(self.database.schema)
        if not is_flushed:
            settings["synchronous_commit"] = "off"
        return settings

    def _following(
        self,
        queue: Sequence[Migration],
        scripts: _Scripts,
        in_order: Sequence[Migration],
        order: Mapping[str, int],
        recorded: Collection[str],
    ) -> _Transaction | None:
        """The migration behind the first of the queue, if it can be sent behind it."""
        first, m = queue[0], queue[1]
        try:
            script = scripts.take(m)
        except WfloSchemaError:
            return None  # said when it is its turn
        predecessors = [*self._predecessors(m, in_order, order[m.id], recorded), first.hash]
        return self._as_transaction(m, script, predecessors, behind=queue[2] if len(queue) > 2 else None)

    def _as_transaction(
        self, m: Migration, script: Script, predecessors: Sequence[str], *, behind: Migration | None
    ) -> _Transaction:
        is_flushed = behind is None or time.monotonic() - self._flushed_at >= _FLUSH_EVERY_S
        record = ledger_module.insert_commands(self.ledger, m, predecessors=list(dict.fromkeys(predecessors)))
        return self._made_of(
            m,
            script,
            record,
            self._settings(m, is_flushed=is_flushed),
            is_flushed=is_flushed,
            guard=self._guard(m, script),
            is_followed=behind is not None
            and behind.is_transactional
            and self._is_direct
            and len(script.text) <= _LONGEST_AHEAD,
        )

    @property
    def _is_direct(self) -> bool:
        """Is no pooler in between?  One tells a process id that is not the session's."""
        return self.ledger.backend_pid == self._pipeline.backend_pid

    def _guard(self, m: Migration, script: Script) -> Sequence[Command]:
        """Look, as ourselves, whether the record is there, where file or ledger may have seen to it that it is not."""
        if not self.ledger.has_triggers and not _may_lose_record(script.text):
            return ()
        return (*_as_role(self.ledger.role, script), ledger_module.guard_command(self.ledger, m))

    def _unrecorded(self, m: Migration, script: Script, error: ServerError) -> WfloSchemaError:
        schema = self.ledger.schema
        if not _may_lose_record(script.text):
            return DatabaseError(
                f"the ledger in schema {schema} does not keep the record of {m.id}, which was rolled back",
                hint=f"look at the triggers and rules on {quote_identifier(schema)}._yoyo_migration",
                sqlstate=error.sqlstate,
            )
        return MigrationFailed(
            f"{m.id} takes away the ledger that would record it (_yoyo_migration in schema {schema})",
            hint="let the file leave the ledger's tables and their schema alone; nothing of this migration was kept",
            migration_id=m.id,
            location=Location(script.path, 1),
            sqlstate=error.sqlstate,
        )

    def _made_of(
        self,
        m: Migration,
        script: Script,
        record: Sequence[Command],
        settings: Mapping[str, str],
        *,
        is_flushed: bool = True,
        guard: Sequence[Command] = (),
        is_followed: bool = False,
    ) -> _Transaction:
        """``record`` asks whether a non-transactional run is at work and changes the ledger."""
        before = [_BEGIN]
        if not self._is_direct:  # DISCARD ALL has taken the name that we connected with
            before.append(Command(f"SET LOCAL application_name = '{self._token}'"))
        commands = (
            *before,
            *record,
            *_set_local(settings),
            *(Command(self._locks.capped(s.text)) for s in script.statements),
            *guard,
            _COMMIT,
        )
        ledger_index = len(before) + len(record) - 1
        return _Transaction(
            m,
            script,
            commands,
            len(before),
            ledger_index,
            ledger_index + 1 + len(settings),
            is_flushed,
            bool(guard),
            is_followed,
        )

    def _apply(self, one: _Transaction, following: Callable[[], _Transaction | None], *, is_sent: bool) -> None:
        """Apply one migration; where nothing forbids it, send the next behind it before it is answered.

        What is sent behind cannot run if this one fails: PostgreSQL refuses everything in a failed
        transaction, BEGIN too, and where COMMIT itself failed, its ledger row misses its predecessor.
        Nor can it run in a session that was not cleared: what clears it comes first and, failing,
        takes the rest with it.
        """
        self._start(one.migration)
        if not is_sent:
            self._pipeline.send(one.sent)
        self._ahead = None
        if one.is_followed:
            if not self._stop.is_requested:
                self._ahead = following()
            self._pipeline.send((_DISCARD, *(self._ahead.sent if self._ahead is not None else ())))
        if self._stop.is_requested:
            self._pipeline.cancel()  # the cancellation before may have hit the one before
        outcome = self._pipeline.receive()
        if is_sent:
            outcome = _without_first(outcome)
        has_failed = outcome.error is not None and outcome.error.index <= one.commit_index
        is_clear = outcome.error is None
        if one.is_followed and (has_failed or self._ahead is None):
            behind = self._pipeline.receive()
            is_clear = behind.error is None
            if has_failed and self._ahead is not None:
                self._refuse_overtaken(one, self._ahead, _without_first(behind))
            self._ahead = None
        if has_failed:
            self._transaction(one, outcome)
        elif not is_clear:
            self._settle()  # it is committed; a cancel request came late
        self._finished(one.migration, "apply", len(one.script.statements), is_flushed=one.is_flushed)

    def _refuse_overtaken(self, one: _Transaction, ahead: _Transaction, behind: Exchange) -> None:
        """Raise `_Conflict` where the one behind was applied: somebody else has recorded the one that failed."""
        if behind.error is not None and behind.error.index <= ahead.commit_index:
            return
        self._ahead = None
        self._settle(_ROLLBACK)
        self._start(ahead.migration)
        self._finished(ahead.migration, "apply", len(ahead.script.statements), is_flushed=ahead.is_flushed)
        raise _Conflict

    def _transaction(self, one: _Transaction, outcome: Exchange | None = None) -> None:
        """Send one transaction; try it again while only locks are in its way.

        ``outcome`` is that of the first try, where it was made already.  Raise `_Conflict` when the
        ledger is not as planned, else as `migrate` says.
        """
        m, script, inside = one.migration, one.script, one.script.statements
        ledger_index, first_statement = one.ledger_index, one.first_statement
        began = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            if outcome is None:
                self._start(m)
                outcome = self._pipeline.exchange((*one.commands, _DISCARD))
            error = outcome.error
            outcome = None
            if error is None:
                return
            if error.index > one.commit_index:
                self._settle()  # it is committed; a cancel request came late
                return
            self._settle(_ROLLBACK)
            if self._stop.is_requested:
                raise self.stopped(f"{m.id} was rolled back")
            if error.index < 0:
                continue  # the session was not cleared before it: nothing of it was run
            if error.index == one.share_index and error.sqlstate == "22012":
                self._wait_for_colleague(m, began)
                continue
            if error.index <= ledger_index:
                if error.sqlstate in _OUT_OF_DATE:
                    raise _Conflict
                if error.sqlstate in _RETRIED or error.sqlstate == "57014":
                    self._pause(m, "another run holds the ledger", attempt)
                    continue
                raise self._ledger_error(error)
            if error.sqlstate in _RETRIED:
                left = self._locks.wait_s - (time.monotonic() - began)
                if left > 0:
                    self._pause(m, error.message, attempt, at_most=left)
                    continue
                raise self._lock_not_acquired(
                    m, script, inside, error, first_statement, attempt, time.monotonic() - began
                )
            if one.is_guarded and error.index == one.commit_index - 1 and error.sqlstate in _OUT_OF_DATE:
                raise self._unrecorded(m, script, error)
            raise self._failed(m, script, inside, error, first_statement)

    def _ledger_error(self, error: ServerError) -> DatabaseError:
        hint = error.hint
        if error.sqlstate == "42501":
            hint = "GRANT INSERT, DELETE, SELECT on the ledger's tables (_yoyo_migration, _yoyo_log) to this role"
        return DatabaseError(
            f"the ledger in schema {self.ledger.schema} could not be written: {error.message}",
            sqlstate=error.sqlstate,
            hint=hint,
        )

    def _start(self, m: Migration) -> None:
        number = len(self._done) + len(self._unflushed) + 1
        if self._current is None or self._current.id != m.id:
            self._current = Running(m.id, number, self._total)
            self._current_began = time.monotonic()
            self._blockers = ()
            self._notify(self._current)
        timeout_s = self._locks.of(m.lock_timeout_ms) / 1000
        first_s = min(0.5, timeout_s / 2.5) if timeout_s else 0.5
        self._look_every_s = max(_SHORTEST_LOOK_S, first_s)
        self._pipeline.tick_s = min(TICK_S, max(_SHORTEST_TICK_S, first_s / 2))
        now = time.monotonic()
        self._look_at, self._tell_at, self._tell_blockers_at = now + first_s, now + 0.5, now

    def _finished(self, m: Migration, operation: str, statements: int, *, is_flushed: bool) -> None:
        duration_ms = (time.monotonic() - self._current_began) * 1000
        number = len(self._done) + len(self._unflushed) + 1
        self._unflushed.append(Done(m.id, operation, duration_ms, statements, number, self._total))
        self._current = None
        if is_flushed:
            self._report()

    def _report(self) -> None:
        for done in self._unflushed:
            self._done.append(done)
            self._notify(done)
        self._unflushed.clear()
        self._flushed_at = time.monotonic()

    def _flush(self) -> None:
        """Wait until every commit of this run is on disk, then report it."""
        if not self._unflushed:
            return
        emit = Command("SELECT pg_catalog.pg_logical_emit_message(TRUE, 'wflo-schema', '')")
        for _ in range(2):  # a cancel request that came late may hit the first
            outcome = self._pipeline.exchange([_BEGIN, emit, _COMMIT])
            if outcome.error is None:
                self._report()
                return
            self._settle(_ROLLBACK)

    def _flush_quietly(self) -> None:
        """Report what is done, if the connection still lets us make sure of it."""
        try:
            self._flush()
        except (ConnectionLost, StoppedWaiting, DatabaseError):
            pass  # an error is being raised already, and it matters more

    def _settle(self, *first: Command) -> None:
        """Bring the session back to its beginning."""
        on_notice, self._pipeline.on_notice = self._pipeline.on_notice, None  # no transaction is in progress: fine
        try:
            outcome = self._pipeline.exchange([*first, _DISCARD])
            if outcome.error is not None and outcome.error.sqlstate == "57014":
                # a cancel request that came late, or a statement_timeout that is too short for it
                self._pipeline.exchange([_ROLLBACK, Command("SET statement_timeout = 0")])
                outcome = self._pipeline.exchange([_DISCARD])
        finally:
            self._pipeline.on_notice = on_notice
        if outcome.error is not None:
            raise DatabaseError(
                f"the session could not be reset: {outcome.error.message}",
                sqlstate=outcome.error.sqlstate,
                hint="run it again",
            )

    # waiting

    def _check_stop(self) -> None:
        if self._stop.is_requested:
            raise self.stopped("nothing was under way")

    def stopped(self, outcome: str) -> Interrupted:
        """The error for a stop that was asked for; reports first what is done."""
        self._flush_quietly()
        name = {2: "interrupted (SIGINT)", 15: "terminated (SIGTERM)"}.get(self._stop.signal_number, "stopped")
        error = Interrupted(
            f"{name}: {outcome}",
            signal_number=self._stop.signal_number or 2,
            hint=_ROLL_BACK_AGAIN if self._operation == "rollback" else "run it again: it goes on where it stopped",
        )
        self._complete(error)
        return error

    def _sleep(self, seconds: float, m: Migration | None) -> None:
        until = time.monotonic() + seconds
        ping_at = time.monotonic() + _PING_S
        while (left := until - time.monotonic()) > 0:
            if self._stop.is_requested:
                raise self.stopped(f"{m.id} was not applied" if m else "nothing was under way")
            time.sleep(min(left, 0.1))
            if time.monotonic() >= ping_at:
                self._pipeline.exchange([Command("SELECT")])
                ping_at = time.monotonic() + _PING_S

    def _pause(self, m: Migration, reason: str, attempt: int, *, at_most: float = _LONGEST_PAUSE_S) -> None:
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(attempt - 1, 10))
        pause_s = min(max(at_most, 0.0), longest * random.uniform(0.5, 1.5))
        self._notify(Retrying(m.id, reason, pause_s, attempt, self._blockers))
        self._sleep(pause_s, m)

    def _notice(self, severity: str, message: str) -> None:
        self._notify(Notice(self._current.id if self._current else "", severity, message))

    def _watch(self, waited_s: float) -> None:
        """Look from a second connection at what the first one waits for, and tell about once a second.

        It looks oftener than a statement may wait for a lock, so that none gives up unseen.
        """
        now = time.monotonic()
        if self._current is None or now < self._look_at:
            return
        self._look_at = now + self._look_every_s
        progress = ""
        try:
            if self._watcher is None:
                self._watcher = Aside(self._beside.with_parameters(connect_timeout="2").connect())
                self._not_seen = ""
            blockers = self._look("activity")
            if blockers:
                self._blockers = tuple(_blocker(row) for row in blockers)
                if now >= self._tell_blockers_at:
                    self._tell_at = self._tell_blockers_at = now + 1.0
                    self._notify(Waiting(self._current.id, self._blockers, waited_s))
                return
            if now < self._tell_at:
                return
            found = self._look("progress_index") if blockers is not None else None
            for phase, percent in found or ():
                progress = f"{phase}{f' {percent} %' if percent is not None else ''}"
        except (psycopg.Error, DatabaseError) as error:
            self._not_seen = str(error).strip().partition("\n")[0]
            if self._watcher is not None:
                self._watcher.close()
                self._watcher = None
            self._look_at = now + 5.0
            if now < self._tell_at:
                return
        self._tell_at = now + 1.0
        r = self._current
        self._notify(Running(r.id, r.number, r.total, time.monotonic() - self._current_began, progress))

    def _look(self, name: str) -> tuple[Row, ...] | None:
        """The answer to a query of ``sql/``; None, and no more than a moment lost, where there is none yet."""
        assert self._watcher is not None
        if self._watcher.is_asked and self._watcher.answer(within_s=0.0) is None:
            return None
        self._watcher.ask(load_sql(name), self._token)
        return self._watcher.answer(within_s=_LOOK_S)

    # errors

    def _lock_not_acquired(
        self,
        m: Migration,
        script: Script,
        statements: Sequence[Statement],
        error: ServerError,
        first: int,
        attempts: int,
        waited_s: float,
    ) -> MigrationFailed:
        failed = self._failed(m, script, statements, error, first)
        blockers = "".join(f"\nblocked by {b}" for b in self._blockers)
        if not blockers and self._not_seen:
            blockers = f"\nwho blocks it could not be seen: {self._not_seen}"
        made = LockNotAcquired(
            f"{m.id} did not get a lock in {_count(range(attempts), 'try', 'tries')} over {waited_s:.0f} s: "
            f"{error.message}{blockers}",
            hint="end or wait for the session that blocks it (SELECT pg_cancel_backend(PID)), then run it again; "
            "or give it longer with --lock-timeout and --lock-wait",
            migration_id=m.id,
            location=failed.location,
            statement=failed.statement,
            source_line=failed.source_line,
            sqlstate=error.sqlstate,
            detail=error.detail,
        )
        self._complete(made)
        return made

    def _failed(
        self, m: Migration, script: Script, statements: Sequence[Statement], error: ServerError, first: int
    ) -> MigrationFailed:
        self._flush_quietly()
        number = error.index - first
        statement = statements[number] if 0 <= number < len(statements) else None
        if statement is None:
            location = Location(script.path, script.statements[-1].line if script.statements else 1)
            place = "at COMMIT (a deferred constraint or trigger)"
        else:
            offset = statement.offset + error.position - 1 if error.position > 0 else statement.offset
            location = script.location(min(offset, max(len(script.text) - 1, 0)))
            place = f"in statement {script.statements.index(statement) + 1} of {len(script.statements)}"
        made = MigrationFailed(
            f"{m.id} failed {place}: {error.message}",
            hint=_remedy(error),
            migration_id=m.id,
            location=location,
            statement=statement.text if statement else "",
            source_line=script.source_line(location.line),
            sqlstate=error.sqlstate,
            detail=error.detail,
            server_hint=error.hint,
            context=error.context,
        )
        if error.sqlstate == "23503" and statement is not None:
            made.orphans = self._orphans(error, statement)
        self._complete(made)
        return made

    def _orphans(self, error: ServerError, statement: Statement) -> OrphanRows | None:
        """Count and show the rows that violate the key, on the watching connection, now that all is rolled back."""
        from wflo_schema import orphans

        try:
            with self._beside.connect() as connection:
                if self.database.schema is not None:
                    connection.execute(
                        "SELECT pg_catalog.set_config('search_path', %s, FALSE)",
                        (quote_identifier(self.database.schema),),
                    )
                return orphans.of_failed_statement(connection, statement.text, table=(error.schema, error.table))
        except (psycopg.Error, DatabaseError):
            return None

    # statement by statement

    def _apply_by_statement(
        self, m: Migration, script: Script, operation: str, predecessors: Sequence[str] = ()
    ) -> None:
        """Run a non-transactional file.

        One runner at a time: an advisory lock of the session, polled, because a session that waits
        inside PostgreSQL would itself be waited for by CREATE INDEX CONCURRENTLY.
        """
        self._start(m)
        self._refuse_pooler(m)
        if not self.ledger.has_progress:
            self.ledger = ledger_module.create_progress(self._pipeline, self.ledger)
            self._settle()  # an event trigger may have changed a setting
        self._take_session_lock(m)
        self._done_checksums = ledger_module.done_checksums(script.statements)
        self._as_ourselves = _as_role(self.ledger.role, script)
        done_before = False
        try:
            recorded, progress = self.read()
            is_recorded = any(r.hash == m.hash for r in recorded)
            hashes = {r.hash for r in recorded}
            if is_recorded != (operation == "rollback") or not hashes.issuperset(predecessors):
                raise _Conflict
            if operation == "rollback" and len(hashes) != len(predecessors):
                raise _Conflict  # somebody has applied more since
            known = next((p for p in progress if p.hash == m.hash), None)
            done, interrupted = self._resume_at(m, script, known, operation)
            settings = {**self._settings(m), **_SESSION_SETTINGS, "application_name": self._token}
            self._must(
                [Command("SELECT pg_catalog.set_config($1, $2, FALSE)", pair) for pair in settings.items()]
                + [Command(self._locks.capped(s.text)) for s in script.statements[:done] if _is_session_setting(s)]
            )
            for number in range(done, len(script.statements)):
                if self._stop.is_requested:
                    raise self.stopped(f"{m.id} stopped after statement {number} of {len(script.statements)}")
                self._one_statement(m, script, number, operation, interrupted)
                interrupted = None
            if interrupted is not None:  # the file was edited, and has no such statement any more
                self._repair(m, interrupted, "")
            record: tuple[Command, ...]
            if operation == "apply":
                record = ledger_module.insert_commands(self.ledger, m, predecessors=predecessors)
            else:
                record = (ledger_module.delete_command(self.ledger, m, recorded=[r.hash for r in recorded]),)
            guard = self._guard(m, script)[-1:] if operation == "apply" else ()
            forget = ledger_module.progress_delete_command(self.ledger, m)
            finish = [*self._as_ourselves, *record, forget, *guard]
            outcome = self._pipeline.exchange([_BEGIN, *finish, _COMMIT, _DISCARD])
            if outcome.error is not None and outcome.error.index <= len(finish) + 1:
                self._settle(_ROLLBACK)
                if guard and outcome.error.index == len(finish):
                    raise self._unrecorded(m, script, outcome.error)
                if outcome.error.sqlstate in ("23505", "23502", "22012"):
                    raise _Conflict
                raise self._ledger_error(outcome.error)
            done_before = outcome.error is None
        except (ConnectionLost, StoppedWaiting):
            done_before = True  # the session, and its lock with it, is gone or no longer to be talked to
            raise
        finally:
            if not done_before:
                self._settle(_ROLLBACK)
        self._finished(m, operation, len(script.statements), is_flushed=True)

    def _must(self, commands: Sequence[Command]) -> Exchange:
        """Exchange that is not expected to fail."""
        outcome = self._pipeline.exchange(commands)
        if outcome.error is not None and outcome.error.sqlstate == "57014" and self._stop.is_requested:
            raise self.stopped("it was cancelled between two statements; what came before stays")
        if outcome.error is not None:
            raise DatabaseError(
                f"PostgreSQL refused: {outcome.error.message}", sqlstate=outcome.error.sqlstate, hint=outcome.error.hint
            )
        return outcome

    def _refuse_pooler(self, m: Migration) -> None:
        """A pooler that gives each transaction another session cannot carry a non-transactional migration.

        A pooler shows itself by telling a process id that is not the session's; that it is in
        transaction mode, by lending our session to a second connection while we hold ours, or by
        lending us another one.  Where a second connection gets none, and we, who ask later, are
        answered, the session is ours alone.
        """
        if self._is_direct:
            return
        ask = Command("SELECT pg_catalog.pg_backend_pid()", keeps_rows=True)
        ours = self._must([ask]).rows[0][0][0]
        try:
            other = Aside(self._beside.connect())
            try:
                other.ask("BEGIN; SELECT pg_catalog.pg_backend_pid()")
                rows = other.answer(within_s=_PROBE_S)
                is_shared = rows is not None and rows[0][0] == ours
                if not is_shared:
                    is_shared = self._must([ask]).rows[0][0][0] != ours
            finally:
                other.close()
        except psycopg.Error as error:
            raise database_error(error, "asking whether a pooler shares our session") from error
        if is_shared:
            raise Refused(
                f"{m.id} is not transactional, and {self.database.label} is a connection pooler in transaction mode, "
                "which gives each statement another session",
                hint="name PostgreSQL itself in the URL for this migration (its own port, usually 5432)",
            )

    def _take_session_lock(self, m: Migration) -> None:
        keys = self.ledger.lock_keys
        ask = Command("SELECT pg_catalog.pg_try_advisory_lock($1::integer, $2::integer)", keys, keeps_rows=True)
        began = time.monotonic()
        while self._must([ask]).rows[0][0][0] != "t":
            self._wait_for_colleague(m, began)

    def _wait_for_colleague(self, m: Migration, began: float) -> None:
        if self._current is not None:
            r = self._current
            said = "another run is at work on a non-transactional migration"
            self._notify(Running(r.id, r.number, r.total, time.monotonic() - began, said))
        self._sleep(_POLL_S, m)

    def _resume_at(
        self, m: Migration, script: Script, known: Progress | None, operation: str
    ) -> tuple[int, str | None]:
        if known is None:
            return 0, None
        done = known.statements_done
        same = self._done_checksums[done : done + 1] == (known.done_checksum,)
        if self._must([ledger_module.superseded_command(self.ledger, m)]).rows[0]:
            raise Refused(
                f"{m.id} was interrupted after {_count(range(done), 'statement', 'statements')}, "
                "and another tool has applied it or rolled it back since",
                hint="see what of it is there; then, to begin it anew, "
                f"DELETE FROM {quote_identifier(self.ledger.schema)}._wflo_schema_progress "
                f"WHERE migration_id = {sql.Literal(m.id).as_string()}",
            )
        if known.operation != operation or done > len(script.statements) or not same:
            table = f"{quote_identifier(self.ledger.schema)}._wflo_schema_progress"
            raise Refused(
                f"{m.id} was interrupted after {_count(range(done), 'statement', 'statements')}, and "
                + (
                    "these were edited since"
                    if known.operation == operation
                    else f"that was during its {known.operation}"
                ),
                hint=f"bring {script.path} back as it was and run it again; or finish by hand what is half done, then "
                f"DELETE FROM {table} WHERE migration_id = {sql.Literal(m.id).as_string()}",
            )
        self._notify(Notice(m.id, "REPAIR", f"going on after statement {done} of {len(script.statements)}"))
        return done, known.running_statement

    def _one_statement(
        self, m: Migration, script: Script, number: int, operation: str, interrupted: str | None
    ) -> None:
        statement = script.statements[number]
        sums, as_ourselves = self._done_checksums, self._as_ourselves
        mark = ledger_module.progress_command(
            self.ledger, m, operation=operation, done=number + 1, done_checksum=sums[number + 1], running=None
        )
        if interrupted is not None and self._repair(m, interrupted, statement.text):
            self._must([_BEGIN, *as_ourselves, mark, _COMMIT])
            return
        if not _is_alone(statement):
            began, attempt = time.monotonic(), 0
            while True:
                attempt += 1
                self._start(m)
                run = Command(self._locks.capped(statement.text))
                outcome = self._pipeline.exchange([_BEGIN, run, *as_ourselves, mark, _COMMIT])
                if outcome.error is None:
                    return
                self._must([_ROLLBACK])
                if outcome.error.sqlstate in ("25001", "2D000"):
                    break  # it must be alone, or commits by itself
                if outcome.error.index > 1:
                    raise self._ledger_error(outcome.error)
                self._statement_refused(m, script, statement, outcome.error, attempt, began)
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            self._start(m)
            self._check_index(m, script, statement)
            running = ledger_module.progress_command(
                self.ledger, m, operation=operation, done=number, done_checksum=sums[number], running=statement.text
            )
            patience = [_GET_LOCK_TIMEOUT, _NO_LOCK_TIMEOUT] if _WAITS_HARMLESSLY.match(statement.text) else []
            before = self._must([_BEGIN, *as_ourselves, running, _COMMIT, *patience]).rows
            if self._stop.is_requested:
                raise self.stopped(f"{m.id} stopped after statement {number} of {len(script.statements)}")
            outcome = self._pipeline.exchange([Command(statement.text)])
            if patience:
                back = before[-2][0]
                self._must([Command("SELECT pg_catalog.set_config('lock_timeout', $1, FALSE)", back)])
            if outcome.error is None:
                break
            if _WHOLE.match(statement.text):
                if interrupted == statement.text and outcome.error.sqlstate in _DONE_ALREADY[statement.words[0]]:
                    said = f"statement {number + 1} had been completed when it was interrupted"
                    self._notify(Notice(m.id, "REPAIR", said))
                    break
                stands = ledger_module.progress_command(
                    self.ledger, m, operation=operation, done=number, done_checksum=sums[number], running=None
                )
                self._must([_BEGIN, *as_ourselves, stands, _COMMIT])  # it failed, and so has done nothing
            self._statement_refused(m, script, statement, outcome.error, attempt, began)
            if self._repair(m, statement.text, statement.text):
                break
        self._must([_BEGIN, *as_ourselves, mark, _COMMIT])

    def _statement_refused(
        self, m: Migration, script: Script, statement: Statement, error: ServerError, attempt: int, began: float
    ) -> None:
        """Pause where another try may help, else raise."""
        number = script.statements.index(statement)
        if self._stop.is_requested:
            raise self.stopped(
                f"{m.id} was cancelled in statement {number + 1} of {len(script.statements)}; what came before it stays"
            )
        at = ServerError(
            number, error.sqlstate, error.message, error.detail, error.hint, error.position, error.context,
            error.schema, error.table, error.column, error.constraint,
        )  # fmt: skip
        waited_s = time.monotonic() - began
        if error.sqlstate in _RETRIED:
            if waited_s < self._locks.wait_s:
                self._pause(m, error.message, attempt, at_most=self._locks.wait_s - waited_s)
                return
            raise self._lock_not_acquired(m, script, script.statements, at, 0, attempt, waited_s)
        failed = self._failed(m, script, script.statements, at, 0)
        failed.hint = "\n".join(
            filter(
                None,
                [
                    failed.hint.replace("; nothing of this migration was kept", ""),
                    "the statements before it stay; when it is mended, run it again: "
                    f"it goes on with statement {number + 1}",
                ],
            )
        )
        build = _index_build(statement.text)
        if build is not None and self._index_state(build) is not None:
            failed.message += f"\nit left the index {build.name} INVALID, which the next run drops and builds again"
        raise failed

    def _index_state(self, build: _IndexBuild) -> tuple[str, bool, bool, bool] | None:
        """Qualified name, is valid, is on that table, is being built; None where there is no such index."""
        rows = self._must([Command(load_sql("index_state"), (build.table, build.name), keeps_rows=True)]).rows[0]
        if not rows:
            return None
        is_valid, is_on_table, is_being_built, name = rows[0]
        return name or "", is_valid == "t", is_on_table == "t", is_being_built == "t"

    def _check_index(self, m: Migration, script: Script, statement: Statement) -> None:
        """IF NOT EXISTS over an INVALID index would be a success that is none."""
        build = _index_build(statement.text)
        state = self._index_state(build) if build is not None else None
        if state is None or state[1]:
            return
        name, _, _, is_being_built = state
        raise MigrationFailed(
            f"{m.id}: the index {name} is there, but INVALID: "
            + ("another session is building it now" if is_being_built else "a build of it was interrupted or failed"),
            hint="wait for it" if is_being_built else f"DROP INDEX CONCURRENTLY {name}; then run it again",
            migration_id=m.id,
            location=Location(script.path, statement.line, statement.column),
            statement=statement.text,
            source_line=script.source_line(statement.line),
        )

    def _repair(self, m: Migration, interrupted: str, text: str) -> bool:
        """Clear away what an interrupted statement left; True when it had in fact been completed."""
        build = _index_build(interrupted)
        if build is not None:
            state = self._index_state(build)
            if state is None:
                return False
            name, is_valid, is_on_table, is_being_built = state
            if is_valid or not is_on_table or is_being_built:
                return is_valid and is_on_table and interrupted == text
            self._notify(
                Notice(m.id, "REPAIR", f"the index {name} was left INVALID by an interrupted build: dropping it")
            )
            self._drop_indexes([name])
            return False
        dropped = _dropped_indexes(interrupted)
        if dropped and interrupted == text:
            gone = self._must(
                [Command("SELECT pg_catalog.to_regclass($1) IS NULL", (name,), keeps_rows=True) for name in dropped]
            )
            return all(rows[0][0] == "t" for rows in gone.rows)
        reindexed = _reindexed(interrupted)
        if reindexed is not None:
            left = self._must([Command(load_sql("index_leftovers"), reindexed, keeps_rows=True)]).rows[0]
            names = [name or "" for (name,) in left]
            if names:
                said = f"{_count(names, 'index was', 'indexes were')} left INVALID by an interrupted REINDEX: dropping"
                self._notify(Notice(m.id, "REPAIR", f"{said} {some(names)}"))
            self._drop_indexes(names)
        detached = _detached(interrupted)
        if detached and interrupted == text:
            return self._finish_detach(detached)
        return False

    def _drop_indexes(self, names: Sequence[str]) -> None:
        for name in names:
            back = self._must([_GET_LOCK_TIMEOUT, _NO_LOCK_TIMEOUT]).rows[0][0]
            self._must([Command(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")])
            self._must([Command("SELECT pg_catalog.set_config('lock_timeout', $1, FALSE)", back)])

    def _finish_detach(self, names: tuple[str, str]) -> bool:
        parent, partition = names
        (rows,) = self._must(
            [
                Command(
                    "SELECT i.inhdetachpending FROM pg_catalog.pg_inherits AS i "
                    "WHERE i.inhparent = pg_catalog.to_regclass($1) AND i.inhrelid = pg_catalog.to_regclass($2)",
                    (parent, partition),
                    keeps_rows=True,
                )
            ]
        ).rows
        if rows and rows[0][0] == "t":
            self._must([Command(f"ALTER TABLE {parent} DETACH PARTITION {partition} FINALIZE")])
            return True
        return not rows

    # roll back, mark

    def roll_back(self, targets: Sequence[Migration], scripts: _Scripts) -> None:
        """Run the rollback files of these migrations, each with its record's removal in one transaction."""
        expected = set(self.recorded)
        for position, m in enumerate(targets):
            self._queue = deque(targets[position:])
            self._check_stop()
            script = scripts.take(m)
            try:
                if m.is_transactional:
                    record = [
                        ledger_module.share_command(self.ledger),
                        ledger_module.lock_command(self.ledger),
                        ledger_module.delete_command(self.ledger, m, recorded=expected),
                    ]
                    self._transaction(self._made_of(m, script, record, self._settings(m)))
                    self._finished(m, "rollback", len(script.statements), is_flushed=True)
                else:
                    self._apply_by_statement(m, script, "rollback", sorted(expected))
                expected.discard(m.hash)
            except _Conflict:
                raise Refused(
                    f"the ledger changed while {m.id} was about to be rolled back",
                    hint="somebody else is migrating this database; look at wflo-schema status and run it again",
                ) from None
        self._queue = deque()

    def mark(
        self,
        chosen: Sequence[Migration],
        *,
        recorded: Collection[str],
        aside: Sequence[str],
        verify: Callable[[], None] | None,
    ) -> None:
        """Record migrations without running them, in one transaction."""
        if not chosen and not aside:
            return
        if not self.ledger.is_complete:
            self._make_ledger()
        ledger = self.ledger
        began = time.monotonic()
        while True:
            if verify is not None:
                verify()
            outcome = self._pipeline.exchange(
                [
                    _BEGIN,
                    *_set_local({"lock_timeout": str(self._locks.of(None))}),
                    *(
                        command
                        for m in chosen
                        for command in (
                            (ledger_module.checksum_command(ledger, m.id, m.checksum),)
                            if m.id in recorded
                            else ledger_module.insert_commands(ledger, m, predecessors=(), operation="mark")
                        )
                    ),
                    *(ledger_module.checksum_command(ledger, i, None) for i in aside),
                    _COMMIT,
                    _DISCARD,
                ]
            )
            if outcome.error is None:
                break
            self._settle(_ROLLBACK)
            if outcome.error.sqlstate in _OUT_OF_DATE:
                raise Refused(
                    "the ledger changed while the migrations were about to be recorded; nothing was recorded",
                    hint="somebody else is at work on this database; look at wflo-schema status and run it again",
                )
            left = self._locks.wait_s - (time.monotonic() - began)
            if outcome.error.sqlstate not in _RETRIED or left <= 0:
                raise self._ledger_error(outcome.error)
            self._sleep(min(left, _FIRST_PAUSE_S), None)
        for m in chosen:
            self._start(m)
            self._finished(m, "mark", 0, is_flushed=True)


def _may_lose_record(text: str) -> bool:
    loud = text.upper()  # a look for words takes a hundredth of the time that the expression takes
    return any(word in loud for word in ("SCHEMA", "OWNED", "EXECUTE", "_YOYO_")) and bool(
        _MAY_LOSE_RECORD.search(text)
    )


def _without_first(outcome: Exchange) -> Exchange:
    """The outcome of all commands but the first, whose own failure gets the index -1."""
    error = outcome.error
    return Exchange(outcome.rows[1:], None if error is None else replace(error, index=error.index - 1))


def _blocker(row: Row) -> Blocker:
    pid, username, application_name, state, since_s, query, relation = (v or "" for v in row)
    return Blocker(int(pid), username, application_name, state, float(since_s), query, relation)


def _set_local(settings: Mapping[str, str]) -> list[Command]:
    """Settings of this transaction; the values are numbers, words and quoted names of our own making."""
    return [Command(f"SET LOCAL {name} = {value}") for name, value in settings.items()]


def _as_role(role: str, script: Script) -> list[Command]:
    """Write to the ledger as the role that the run began as, whatever role the file sets."""
    if any(s.words[:3] == ("SET", "SESSION", "AUTHORIZATION") for s in script.statements):
        return [Command("SET LOCAL SESSION AUTHORIZATION DEFAULT")]
    return [Command(f"SET LOCAL ROLE {quote_identifier(role)}")]


def _is_alone(statement: Statement) -> bool:
    return bool(_ALONE.match(" ".join(statement.words)) or _ALONE.match(statement.text))


def _is_session_setting(statement: Statement) -> bool:
    words = statement.words
    if words[:1] == ("RESET",):
        return True
    return words[:1] == ("SET",) and words[1:2] not in (("LOCAL",), ("CONSTRAINTS",), ("TRANSACTION",))


def _dropped_indexes(text: str) -> tuple[str, ...]:
    node: Any = _parse_one(text, "drop_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return ()
    return tuple(sql.Identifier(*(i.string.sval for i in o.list.items)).as_string() for o in node.objects)


def _reindexed(text: str) -> tuple[str, str | None] | None:
    """``relation``, ``schema`` or ``database``, and its name, of a REINDEX; None for any other statement."""
    node: Any = _parse_one(text, "reindex_stmt")
    if node is None:
        return None
    if node.HasField("relation"):
        parts = [p for p in (node.relation.schemaname, node.relation.relname) if p]
        return "relation", sql.Identifier(*parts).as_string()
    return ("schema", node.name) if re.search(r"\bSCHEMA\b", text, re.IGNORECASE) else ("database", None)


def _detached(text: str) -> tuple[str, str] | None:
    node: Any = _parse_one(text, "alter_table_stmt") if "DETACH" in text.upper() else None
    if (
        node is None
        or len(node.cmds) != 1
        or not getattr(node.cmds[0].alter_table_cmd, "def").HasField("partition_cmd")
    ):
        return None
    inner = getattr(node.cmds[0].alter_table_cmd, "def").partition_cmd.name
    names = [sql.Identifier(*(p for p in (r.schemaname, r.relname) if p)).as_string() for r in (node.relation, inner)]
    return names[0], names[1]


_REMEDIES: dict[str, str] = {
    "42P07": "this database already has it, made by hand or by another tool: look with wflo-schema check; "
    "if it is a live database of another tool's, take it over with wflo-schema adopt; "
    "a test database is made anew with wflo-schema test-db",
    "42P01": "is an earlier migration missing, or was it applied in another schema? "
    "wflo-schema status shows what is applied; "
    "a test database is made anew, with all migrations, by wflo-schema test-db",
    "42703": "the table is not as the migrations make it: compare with wflo-schema check; "
    "was the base migration applied? wflo-schema status shows it",
    "42701": "the column is there already, made by hand or by another tool: look with wflo-schema check",
    "42710": "it is there already, made by hand or by another tool: look with wflo-schema check, or adopt the database",
    "23505": "rows are there already that this migration inserts: "
    "run each migration once, by wflo-schema migrate, never by hand",
    "42501": "run it as the owner of the tables, or GRANT what is missing to this role",
    "25001": "begin the file with -- transactional: false, and keep such statements in a file of their own",
    "2D000": "it commits by itself: begin the file with -- transactional: false, "
    "and keep such statements in a file of their own",
    "25006": "this database or role is set read-only (default_transaction_read_only)",
    "53100": "the server's disk is full: free space and run it again; nothing of this migration was kept",
    "57014": "the statement was cancelled (by statement_timeout or by hand); run it again when it may take its time",
    "42601": "correct the statement; nothing of this migration was kept",
}


def _remedy(error: ServerError) -> str:
    if error.sqlstate == "23503":
        return "delete or repair the rows that point nowhere, then run it again; everything applied before stays"
    if error.sqlstate == "25001" and "ISOLATION LEVEL" in error.message:
        return "a migration runs in READ COMMITTED: remove the statement, and LOCK what must not change meanwhile"
    return _REMEDIES.get(error.sqlstate, "correct the file, then run it again; nothing of this migration was kept")


def _count(many: Sequence[object], one: str, more: str) -> str:
    return f"{len(many)} {one if len(many) == 1 else more}"

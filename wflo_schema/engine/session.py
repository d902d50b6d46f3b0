"""One connection at work for one operation: it waits, shows who blocks it, stops when asked, and reports.

Hides retries and pauses, the second connection that looks at locks, when a commit is known to be on
disk, and what PostgreSQL's errors mean for a migration.
"""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Self

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import WATCHED, Database, put_schema_first
from wflo_schema.connect.pipeline import (
    TICK_S,
    Aside,
    Command,
    Exchange,
    Pipeline,
    Row,
    ServerError,
    Stop,
    StoppedWaiting,
)
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Begun, Blocker, Done, Notice, Notify, Result, Retrying, Running, Waiting
from wflo_schema.engine.ledger import Ledger, Progress, Record, find_ledger, guard_command, read_ledger
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS, TOO_LONG, LockOptions
from wflo_schema.engine.remedies import remedy
from wflo_schema.errors import (
    ConnectionLost,
    DatabaseError,
    Interrupted,
    LockNotAcquired,
    MigrationFailed,
    Refused,
    WfloSchemaError,
)
from wflo_schema.files.folder import Migration
from wflo_schema.findings import Location, OrphanRows
from wflo_schema.names import quote_always
from wflo_schema.words import counted

if TYPE_CHECKING:
    from wflo_schema.files.script import Script, Statement

# Pauses between two tries: doubled each time, times 0.5 to 1.5 at random.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0

# Seconds between looks at a lock that another run holds.
_POLL_S = 0.2

# Seconds to wait for the answer to a look at what blocks us.
_LOOK_S = 0.1

# Seconds between two looks at what blocks us, and between asking whether one is due, at least.
_SHORTEST_LOOK_S, _SHORTEST_TICK_S = 0.02, 0.003

# Stands in events for the id of a migration.
_LEDGER = "the ledger"

# How many times --lock-wait we wait for a blocker that we cannot see, for lack of a second session to look from.
_UNSEEN = 10

# Seconds between two words on the same colleague.
_TELL_S = 10.0

# Seconds between signs of life in a pause: a server may end sessions that are idle for longer.
_PING_S = 0.25

# lock_not_available, deadlock_detected, serialization_failure: nothing is wrong with the file.
RETRIED = frozenset({"55P03", "40P01", "40001"})

BEGIN = Command("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE")
COMMIT = Command("COMMIT")
ROLLBACK = Command("ROLLBACK")
DISCARD = Command("DISCARD ALL")

_ROLL_BACK_AGAIN = "look at wflo-schema status first: a second rollback takes back one more migration"


class Conflict(Exception):
    """The plan is out of date: somebody else recorded or removed a migration."""


class Session:
    """One connection, one operation: `on` yields it, and says at the end what became of the operation."""

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
        self.locks = locks
        self.notify = notify
        self.stop = stop
        self.token = token
        self._connection = connection
        self.pipeline = Pipeline(connection, stop=stop, on_wait=self._watch, on_notice=self._notice)
        self._watcher: Aside | None = None
        self._look_every_s = 0.5
        self._look_at = self._tell_at = self._tell_blockers_at = self._told_of_colleague_at = 0.0
        self._not_seen = ""
        """Why the second connection could not look."""
        self._blockers: tuple[Blocker, ...] = ()
        self.current: Running | None = None
        self._watched = ""
        """What the first connection is at: a migration's id, `_LEDGER`, or nothing that could take long."""
        self._total = 0
        self._done: list[Done] = []
        self._unflushed: list[Done] = []
        self.flushed_at = time.monotonic()
        """When every commit so far was known to be on disk."""
        self._awake_at = time.monotonic()
        self.queue: deque[Migration] = deque()
        """What is still to be done, with the current one."""
        self._operation = ""
        self.ledger: Ledger = find_ledger(self.pipeline, database.schema)

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
    ) -> Iterator[Self]:
        """Connect, and turn what is raised inside into what a user is told."""
        token = f"wflo-schema {os.urandom(3).hex()}"
        stop = stop or Stop()
        with stop.raising():
            connection = database.with_parameters(application_name=token).connect(settings=settings)
        run: Self | None = None
        try:
            run = cls(
                database,
                connection,
                locks=locks or LockOptions(),
                notify=notify or (lambda event: None),
                stop=stop,
                token=token,
            )
            yield run
        except StoppedWaiting:
            assert run is not None
            raise run.stopped(
                "the server has not answered; wflo-schema status will say whether it was applied"
            ) from None
        except ConnectionLost as error:
            if run is not None and run.current is not None:
                run._unflushed.clear()
                also = f", with {run.sent_behind} behind it" if run.sent_behind else ""
                error.message = f"{error.message}, while {run.current.id} was being run{also}"
                error.hint = run._how_to_go_on()
            if run is not None:
                run._complete(error)
            if error.sqlstate in TOO_LONG:
                error.hint += f"; but first raise {TOO_LONG[error.sqlstate]} of this role or database"
            raise
        except WfloSchemaError as error:
            if run is not None:
                if isinstance(error, DatabaseError) and error.sqlstate == "57014" and run.stop.is_requested:
                    raise run.stopped("nothing was under way") from None
                run._flush_quietly()
                run._complete(error)
            raise
        except KeyboardInterrupt:
            if run is not None:
                run.pipeline.cancel()
            raise
        finally:
            if run is not None:
                run._close()
            else:
                connection.close()

    @property
    def beside(self) -> Database:
        """For a second connection: of several hosts the one that we are connected to."""
        if not any("," in self.database.parameters.get(name, "") for name in ("host", "hostaddr")):
            return self.database
        info = self._connection.info
        return self.database.with_parameters(host=info.host, hostaddr=info.hostaddr, port=str(info.port))

    @property
    def is_direct(self) -> bool:
        """Is no pooler in between?  One tells a process id that is not the session's."""
        return self.ledger.backend_pid == self.pipeline.backend_pid

    def taken_back(self, m: Migration) -> str:
        """What became of a migration whose transaction was rolled back."""
        if self._operation == "rollback":
            return f"the rollback of {m.id} was taken back, so it stays applied"
        return f"{m.id} was rolled back"

    @property
    def sent_behind(self) -> str | None:
        """The id of a migration that was sent behind the current one."""
        return None

    def _how_to_go_on(self) -> str:
        if self.queue and not self.queue[0].is_transactional:
            return "the statements before the one that was running stay; run it again: it goes on there"
        if self._operation == "rollback":
            return f"it was either rolled back as a whole or not at all; {_ROLL_BACK_AGAIN}"
        return "it was either applied as a whole or not at all; run it again: it goes on where it stopped"

    def _complete(self, error: WfloSchemaError) -> None:
        error.applied = tuple(d.id for d in self._done)
        begun = {self.current.id if self.current else None, self.sent_behind}
        error.not_tried = tuple(m.id for m in self.queue if m.id not in begun)

    def _close(self) -> None:
        self.pipeline.close()
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
        self.notify(Begun(self.database.label, self.ledger.schema, self.ledger.server_version, operation, total))
        if total and operation == "apply" and not self.ledger.is_there and self.ledger.elsewhere:
            said = (
                f"there is no ledger in schema {self.ledger.schema} yet, so one is made; "
                f"the ledger of schema {self.ledger.elsewhere} is not used: if you mean that one, name it with --schema"
            )
            self.notify(Notice("", "WARNING", said))

    def expect(self, more: int) -> None:
        """``more`` migrations are left of those announced."""
        self._total = len(self._done) + len(self._unflushed) + more

    def result(self, operation: str, began: float) -> Result:
        """What was done since ``began``, a time.monotonic()."""
        return Result(
            self.database.label,
            self.ledger.schema,
            self.ledger.server_version,
            operation,
            tuple(self._done),
            (time.monotonic() - began) * 1000,
            self.pipeline.round_trips,
        )

    def read(self, lock_timeout_ms: int | None = None) -> tuple[tuple[Record, ...], tuple[Progress, ...]]:
        """What the ledger records, and what of it is half-way.

        Raise `DatabaseError` with sqlstate 55P03 where the ledger is locked for ``lock_timeout_ms``, or
        (None) for as long as a migration may wait for its locks.
        """
        began, attempt = time.monotonic(), 0
        while True:
            attempt += 1
            self._watch_for(_LEDGER, self.locks.of(None))
            timeout_ms = self.locks.of(None) or LOCK_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
            try:
                found = read_ledger(self.pipeline, self.ledger, lock_timeout_ms=timeout_ms)
                self._watched = ""
                return found
            except DatabaseError as error:
                if error.sqlstate != "55P03":
                    raise
                if lock_timeout_ms is not None:
                    raise self._ledger_locked(began, attempt) from None
                self.pause_for_ledger(None, error, began, attempt)

    def settings(self, m: Migration, *, is_flushed: bool = True) -> dict[str, str]:
        """What holds while a migration runs."""
        settings = {"lock_timeout": str(self.locks.of(m.lock_timeout_ms))}
        if self.database.schema is not None:
            settings["search_path"] = ", ".join(filter(None, [quote_always(self.database.schema), self.ledger.path]))
        if not is_flushed:
            settings["synchronous_commit"] = "off"
        if self.pipeline.reads_backslashes:
            settings["standard_conforming_strings"] = "on"  # as when the file was split into statements
        return settings

    def settings_after(self, m: Migration, statement: Statement) -> dict[str, str]:
        """What must be set again after a statement that resets it to the server's value."""
        from wflo_schema.files.statements import resets

        again: dict[str, str] = {}
        settings = self.settings(m)
        for name in resets(statement):
            if name in settings:
                again[name] = settings[name]
        if self.locks.timeout_ms and not self.locks.caps(statement.text) and "lock_timeout" in statement.text.lower():
            again["lock_timeout"] = settings["lock_timeout"]  # set_config(), wherever it is called
        return again

    def guard(self, m: Migration, script: Script) -> Sequence[Command]:
        """Check, as the run's own role, that the record is there, where the file or a trigger may have removed it."""
        from wflo_schema.files.statements import may_lose_record

        if not self.ledger.has_triggers and not may_lose_record(script):
            return ()
        return (*as_role(self.ledger.role, script), guard_command(self.ledger, m))

    def unrecorded(self, m: Migration, script: Script, error: ServerError) -> WfloSchemaError:
        """The error for a `guard` that found no record."""
        from wflo_schema.files.statements import may_lose_record

        schema = self.ledger.schema
        if not may_lose_record(script):
            return DatabaseError(
                f"the ledger in schema {schema} does not keep the record of {m.id}, which was rolled back",
                hint=f"look at the triggers and rules on {quote_always(schema)}._yoyo_migration",
                sqlstate=error.sqlstate,
            )
        return MigrationFailed(
            f"{m.id} takes away the ledger that would record it (_yoyo_migration in schema {schema})",
            hint="let the file leave the ledger's tables and their schema alone; nothing of this migration was kept",
            migration_id=m.id,
            location=Location(script.path, 1),
            sqlstate=error.sqlstate,
        )

    def start(self, m: Migration) -> None:
        """A migration is being run, for the first time or again."""
        number = len(self._done) + len(self._unflushed) + 1
        if self.current is None or self.current.id != m.id:
            self.current = Running(m.id, number, self._total)
            self._current_began = time.monotonic()
            self._blockers = ()
            self.notify(self.current)
        self._watch_for(m.id, self.locks.of(m.lock_timeout_ms))

    def _watch_for(self, name: str, lock_timeout_ms: int) -> None:
        """Look, from now on, at what keeps this one waiting: before a lock timeout ends the waiting."""
        if name != self._watched:
            self._tell_blockers_at = time.monotonic()
            self._told_of_colleague_at = 0.0
        self._watched = name
        timeout_s = lock_timeout_ms / 1000
        first_s = min(0.5, timeout_s / 2.5) if timeout_s else 0.5
        self._look_every_s = max(_SHORTEST_LOOK_S, first_s)
        self.pipeline.tick_s = min(TICK_S, max(_SHORTEST_TICK_S, first_s / 2))
        now = time.monotonic()
        self._look_at, self._tell_at = now + first_s, now + 0.5

    def finished(self, m: Migration, operation: str, statements: int, *, is_flushed: bool) -> None:
        """A migration is committed, and on disk (``is_flushed``) or soon."""
        duration_ms = (time.monotonic() - self._current_began) * 1000
        number = len(self._done) + len(self._unflushed) + 1
        self._unflushed.append(Done(m.id, operation, duration_ms, statements, number, self._total))
        self.current = None
        self._watched = ""
        if is_flushed:
            self._report()

    def _report(self) -> None:
        for done in self._unflushed:
            self._done.append(done)
            self.notify(done)
        self._unflushed.clear()
        self.flushed_at = time.monotonic()

    def flush(self) -> None:
        """Wait until every commit of this run is on disk, then report it."""
        if not self._unflushed:
            return
        emit = Command("SELECT pg_catalog.pg_logical_emit_message(TRUE, 'wflo-schema', '')")
        for _ in range(2):  # a cancel request that came late may hit the first
            outcome = self.pipeline.exchange([BEGIN, emit, COMMIT])
            if outcome.error is None:
                self._report()
                return
            self.settle(ROLLBACK)

    def _flush_quietly(self) -> None:
        """Report what is done, if the connection still lets us make sure of it."""
        # An error is being raised already, and it matters more.
        with suppress(ConnectionLost, StoppedWaiting, DatabaseError):
            self.flush()

    def settle(self, *first: Command) -> None:
        """Bring the session back to its beginning."""
        on_notice, self.pipeline.on_notice = self.pipeline.on_notice, None  # no transaction is in progress: fine
        try:
            outcome = self.pipeline.exchange([*first, DISCARD])
            if outcome.error is not None and outcome.error.sqlstate == "57014":
                # a cancel request that came late, or a statement_timeout that is too short for it
                self.pipeline.exchange([ROLLBACK, Command("SET statement_timeout = 0")])
                outcome = self.pipeline.exchange([DISCARD])
        finally:
            self.pipeline.on_notice = on_notice
        if outcome.error is not None:
            raise DatabaseError(
                f"the session could not be reset: {outcome.error.message}",
                sqlstate=outcome.error.sqlstate,
                hint="run it again",
            )

    def must(self, commands: Sequence[Command]) -> Exchange:
        """Exchange that is not expected to fail."""
        outcome = self.pipeline.exchange(commands)
        if outcome.error is not None and outcome.error.sqlstate == "57014" and self.stop.is_requested:
            raise self.stopped("it was cancelled between two statements; what came before stays")
        if outcome.error is not None:
            raise DatabaseError(
                f"PostgreSQL refused: {outcome.error.message}", sqlstate=outcome.error.sqlstate, hint=outcome.error.hint
            )
        return outcome

    # waiting

    def check_stop(self) -> None:
        """Raise `Interrupted` where a stop was asked for between two migrations."""
        if self.stop.is_requested:
            raise self.stopped("nothing was under way")

    def stopped(self, outcome: str) -> Interrupted:
        """The error for a stop that was asked for; reports first what is done."""
        self._flush_quietly()
        error = self.stop.interrupted(outcome)
        if self._operation == "rollback":
            error.hint = _ROLL_BACK_AGAIN
        self._complete(error)
        return error

    def _sleep(self, seconds: float, m: Migration | None) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            if self.stop.is_requested:
                done = "rolled back" if self._operation == "rollback" else "applied"
                raise self.stopped(f"{m.id} was not {done}" if m else "nothing was under way")
            time.sleep(min(left, 0.1))
            self.stay_awake()

    def pause(self, m: Migration | None, reason: str, attempt: int, *, at_most: float = _LONGEST_PAUSE_S) -> None:
        """Sleep before another try of a migration, or (None) of the ledger's own statements."""
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(attempt - 1, 10))
        import random

        pause_s = min(max(at_most, 0.0), longest * random.uniform(0.5, 1.5))
        what = m.id if m else _LEDGER
        self.notify(Retrying(what, reason, pause_s, attempt, self._blockers))
        self._sleep(pause_s, m)

    def pause_for_ledger(
        self, m: Migration | None, error: ServerError | DatabaseError, began: float, attempt: int
    ) -> None:
        """Let a moment pass: the ledger's table, or the row of this migration, is locked.

        Wait for a colleague as long as it works; for anybody else, until the time for locks is over,
        or ten times that where no blocker can be seen: then raise `DatabaseError`.
        """
        waited_s = time.monotonic() - began
        is_colleague = any(b.is_colleague for b in self._blockers)
        if is_colleague or (not self._blockers and waited_s < _UNSEEN * self.locks.wait_s):
            who = "another run" if is_colleague else "another run, or a session that cannot be seen,"
            self.wait_for_colleague(m, began, f"{who} holds the ledger")
            return
        left = self.locks.wait_s - waited_s
        if left <= 0:
            raise self._ledger_locked(began, attempt)
        self.pause(m, error.message, attempt, at_most=left)

    def pause_for_locks(self, m: Migration, error: ServerError, began: float, attempt: int) -> None:
        """Let a moment pass where only locks keep an interruption from being mended; else raise."""
        left = self.locks.wait_s - (time.monotonic() - began)
        if self.stop.is_requested:
            raise self.stopped(f"{m.id} was not resumed")
        if error.sqlstate not in RETRIED or left <= 0:
            raise DatabaseError(
                f"{m.id} cannot be resumed: {error.message}{self._blocked_by}",
                sqlstate=error.sqlstate,
                hint=error.hint,
            )
        self.pause(m, error.message, attempt, at_most=left)

    @property
    def _blocked_by(self) -> str:
        """A line for each session that blocks ours, or one that says why none was seen."""
        if not self._blockers and self._not_seen:
            return f"\nwho blocks it could not be seen: {self._not_seen}"
        return "".join(f"\nblocked by {b}" for b in self._blockers)

    def _ledger_locked(self, began: float, attempts: int) -> DatabaseError:
        return DatabaseError(
            f"the ledger in schema {self.ledger.schema} was locked in {counted(attempts, 'try', 'tries')} "
            f"over {time.monotonic() - began:.0f} s{self._blocked_by}",
            hint="wait for the session that blocks it or end it (SELECT pg_terminate_backend(PID)), then run it again",
            sqlstate="55P03",
        )

    def wait_for_colleague(
        self,
        m: Migration | None,
        began: float,
        said: str = "another run is at work on a non-transactional migration",
    ) -> None:
        """Say what another run is at, and let a moment pass."""
        waited_s = time.monotonic() - began
        if self.current is not None:
            r = self.current
            self.notify(Running(r.id, r.number, r.total, waited_s, said))
        if time.monotonic() - self._told_of_colleague_at >= _TELL_S and waited_s >= 1.0:
            self._told_of_colleague_at = time.monotonic()
            what = m.id if m else _LEDGER
            self.notify(Notice(what, "WAITING", f"{what} waits ({waited_s:.0f} s): {said}"))
        self._sleep(_POLL_S, m)

    def stay_awake(self) -> None:
        """Give a sign of life now and then, where work of our own keeps the session idle."""
        if time.monotonic() - self._awake_at >= _PING_S:
            self.check_stop()
            self.pipeline.exchange([Command("SELECT")])
            self._awake_at = time.monotonic()

    def _notice(self, severity: str, message: str) -> None:
        self.notify(Notice(self.current.id if self.current else "", severity, message))

    def _watch(self, waited_s: float) -> None:
        """Look from a second connection at what the first one waits for, and tell about once a second.

        It looks before a lock timeout ends the waiting, so that no blocker goes unseen.
        """
        now = time.monotonic()
        if not self._watched or now < self._look_at:
            return
        self._look_at = now + self._look_every_s
        progress = ""
        try:
            if self._watcher is None:
                self._watcher = Aside(self.beside.with_parameters(connect_timeout="2").connect())
                self._not_seen = ""
            blockers = self._look("activity")
            if blockers:
                self._blockers = tuple(_blocker(row) for row in blockers)
                if now >= self._tell_blockers_at:
                    self._tell_at = self._tell_blockers_at = now + 1.0
                    self.notify(Waiting(self._watched, self._blockers, waited_s))
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
        r = self.current
        if r is not None:
            self.notify(Running(r.id, r.number, r.total, time.monotonic() - self._current_began, progress))

    def _look(self, name: str) -> tuple[Row, ...] | None:
        """The answer to a query of ``sql/``; None, and no more than a moment lost, where there is none yet."""
        assert self._watcher is not None
        if self._watcher.is_asked and self._watcher.answer(within_s=0.0) is None:
            return None
        self._watcher.ask(load_sql("engine", name), self.token)
        return self._watcher.answer(within_s=_LOOK_S)

    # errors

    def ledger_error(self, error: ServerError) -> DatabaseError:
        hint = error.hint
        if error.sqlstate == "42501":
            hint = "GRANT INSERT, DELETE, SELECT on the ledger's tables (_yoyo_migration, _yoyo_log) to this role"
        return DatabaseError(
            f"the ledger in schema {self.ledger.schema} could not be written: {error.message}",
            sqlstate=error.sqlstate,
            hint=hint,
        )

    def lock_not_acquired(
        self, m: Migration, script: Script, error: ServerError, number: int | None, attempts: int, waited_s: float
    ) -> MigrationFailed:
        """The error of a migration that was tried for as long as it may be."""
        failed = self.failed(m, script, error, number)
        made = LockNotAcquired(
            f"{m.id} did not get a lock in {counted(attempts, 'try', 'tries')} over {waited_s:.0f} s: "
            f"{error.message}{self._blocked_by}",
            hint="wait for the session that blocks it or end it (SELECT pg_terminate_backend(PID)), then run it again; "
            "or wait longer for locks, with --lock-timeout and --lock-wait",
            migration_id=m.id,
            location=failed.location,
            statement=failed.statement,
            source_line=failed.source_line,
            sqlstate=error.sqlstate,
            detail=error.detail,
        )
        self._complete(made)
        return made

    def failed(
        self, m: Migration, script: Script, error: ServerError, number: int | None, *, place: str = ""
    ) -> MigrationFailed:
        """The error of a migration that PostgreSQL refused, in statement ``number`` (from 0) or at its end (None).

        ``place`` says where it failed, if not at a word of the statement.
        """
        self._flush_quietly()
        statement = None if number is None else script.statements[number]
        if statement is None or number is None:
            location = Location(script.path, script.statements[-1].line if script.statements else 1)
            place = place or "at COMMIT (a deferred constraint or trigger)"
        else:
            is_placed = error.position > 0 and not place
            offset = statement.offset + error.position - 1 if is_placed else statement.offset
            location = script.location(min(offset, max(len(script.text) - 1, 0)))
            place = f"in statement {number + 1} of {len(script.statements)}{f', {place}' if place else ''}"
        made = MigrationFailed(
            f"{m.id} failed {place}: {error.message}",
            hint=remedy(error, script.statements[: number or 0]),
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
        from wflo_schema.catalog import orphans

        try:
            with self.beside.connect() as connection:
                put_schema_first(connection, self.database.schema)
                return orphans.of_failed_statement(connection, statement.text, table=(error.schema, error.table))
        except (psycopg.Error, DatabaseError):
            return None


def _blocker(row: Row) -> Blocker:
    pid, username, application_name, state, since_s, query, relation = (v or "" for v in row)
    return Blocker(int(pid), username, application_name, state, float(since_s), query, relation)


def as_role(role: str, script: Script) -> list[Command]:
    """Write to the ledger as the role that the run began as, whatever role the file sets."""
    if any(s.first_word == "SET" and s.words[:3] == ("SET", "SESSION", "AUTHORIZATION") for s in script.statements):
        return [Command("SET LOCAL SESSION AUTHORIZATION DEFAULT")]
    return [Command(f"SET LOCAL ROLE {quote_always(role)}")]

"""One connection at work for one operation: it waits, stops when asked, and reports.

Hides retries and pauses, when a commit is known to be on disk, and what PostgreSQL's errors mean for a migration.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Self, TypeVar

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import TOO_LONG, WATCHED, Database, put_schema_first
from wflo_schema.connect.pipeline import (
    BEGIN,
    DISCARD,
    ROLLBACK,
    Command,
    Exchange,
    Pipeline,
    ServerError,
    Stop,
    StoppedWaiting,
)
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.behind import Patience
from wflo_schema.engine.distributed import distributed_remedy, is_worker_lost, meant, telling_workers
from wflo_schema.engine.events import Begun, Done, Notice, Notify, Result, Retrying, Running, StatementProgress
from wflo_schema.engine.instead import instead_of
from wflo_schema.engine.kept import Kept, Known, new_token, to_disk
from wflo_schema.engine.ledger import (
    Ledger,
    Progress,
    Record,
    create_progress,
    find_ledger,
    last_applied,
    read_elsewhere,
    read_ledger,
    seal_command,
)
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS, LockOptions
from wflo_schema.engine.parts import Part, set_local
from wflo_schema.engine.progress import number_of
from wflo_schema.engine.remedies import NOTHING_KEPT, ledger_remedy, remedy, syntax_remedy
from wflo_schema.engine.watch import Watch
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
from wflo_schema.files.folder import Migration
from wflo_schema.files.listing import HOOKS
from wflo_schema.findings import Location, OrphanRows
from wflo_schema.names import quote_always
from wflo_schema.words import counted, duration, listed

if TYPE_CHECKING:
    from wflo_schema.engine.confinement import Confinement
    from wflo_schema.files.script import Script, Statement

# Pauses between two tries: doubled each time, times 0.5 to 1.5 at random.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 8.0

# Seconds between looks at a lock that another run holds.
_POLL_S = 0.2

# Stands in events for the id of a migration.
_LEDGER = "the ledger"

# How many times --lock-wait we wait for a blocker that we cannot see, for lack of a second session to look from.
_UNSEEN = 10

# Tries that are made at least before we give up without having seen a blocker: a lock timeout may be over before the
# answer of the second connection is here, on a slow network or a busy machine.
_TRIES_TO_SEE = 6

# Seconds between two words on the same colleague.
_TELL_S = 10.0

# Seconds between signs of life in a pause: a server may end sessions that are idle for longer.
_PING_S = 0.25

# lock_not_available, deadlock_detected, serialization_failure: nothing is wrong with the file.
RETRIED = frozenset({"55P03", "40P01", "40001"})

# What to do where a file of single transactions meets what repeatable files made.
_NOT_TAKEN_DOWN = (
    "what repeatable files made is taken down only around a transactional file: put this statement into a migration of "
    "its own, without -- transactional: false"
)

# Something is not there (yet): a table, a function, an object, a column, a schema, what COMMENT or GRANT names.
MISSING = frozenset({"42P01", "42883", "42704", "42703", "3F000", "42P02"})

# What else depends on something: PostgreSQL neither drops nor alters it.
DEPENDED_ON = frozenset({"2BP01", "0A000"})

# What the ledger's statements fail with where its tables are gone, or not as they were.
LEDGER_GONE = ("42P01", "42703", "3F000")

# What checks of constraints and triggers is left for COMMIT.
SETTLE = Command("SET CONSTRAINTS ALL IMMEDIATE")

# Words without which a file hardly changes its role; where it does all the same, it is tried once more.
_CHANGES_ROLE = re.compile(rb"\b(?:ROLE|AUTHORIZATION)\b", re.IGNORECASE)

# What a file may call the session by.
_RENAMES = b"application_name"

_LOCK_TIMEOUT = b"lock_timeout"

# How often the server looks whether its client is still there.
_LOOKED_AFTER_MS = WATCHED["client_connection_check_interval"]

# Bytes: a longer file is not searched for them, and not run twice to see.
_SEARCHED = 100_000

_T = TypeVar("_T")

_ROLL_BACK_AGAIN = "look at wflo-schema status first: a second rollback takes back one more migration"


class Conflict(Exception):
    """The plan is out of date: somebody else recorded or removed a migration.  Its text: what the server said."""


class Tries:
    """How often something was tried, and for how long: ``wait_s`` is the most."""

    def __init__(self, wait_s: float) -> None:
        self._began = time.monotonic()
        self._wait_s = wait_s
        self.count = 0
        self.of = ""
        """What is tried to be read, in words, where it is not the ledger of the session."""

    def __str__(self) -> str:
        return counted(self.count, "try", "tries")

    @property
    def waited_s(self) -> float:
        """Seconds since the first."""
        return time.monotonic() - self._began

    @property
    def left_s(self) -> float:
        """Seconds that are left; none where it is 0 or less."""
        return self._wait_s - self.waited_s


class Session:
    """One connection, one operation: `on` yields it, and says at the end what became of the operation."""

    # long: all that a run begins with
    def __init__(
        self,
        database: Database,
        connection: psycopg.Connection[TupleRow],
        *,
        locks: LockOptions,
        notify: Notify,
        stop: Stop,
        token: str,
        kept: Kept | None = None,
        known: Known | None = None,
    ) -> None:
        self.database = database
        self.locks = locks
        self.notify = notify
        self.stop = stop
        self.token = token
        self._connection = connection
        self._kept, self._known = kept, known
        self.label = database.label if kept is None else kept.label
        self.pipeline = Pipeline(connection) if kept is None else kept.pipeline
        self.pipeline.begin_anew(stop=stop, on_notice=self._notice)
        self.has_repeated = False
        """Repeatable files have been applied here."""
        self._told_of_colleague_at = 0.0
        self.current: Running | None = None
        self._total = 0
        self._done: list[Done] = []
        self._unflushed: list[Done] = []
        self.flushed_at = time.monotonic()
        """When every commit so far was known to be on disk."""
        self._awake_at = time.monotonic()
        self.queue: deque[Migration] = deque()
        """What is still to be done, with the current one."""
        self._operation = ""
        self.script: Script | None = None
        """The file that is being run, where its statements are counted."""
        self.under_way = 0
        """How many were run before the current one, in the transaction that is still open."""
        self.block_wishes_ms: tuple[int | None, ...] = ()
        """Of the other files in the transaction that is open: how long others may wait for what it holds."""
        self.is_kept: bool | None = True
        """Where all is one transaction, False: nothing is committed; None: that is not known."""
        self.ledger: Ledger = self.find_ledger() if known is None else known.ledger
        has_citus = self.ledger.has_citus
        self.pipeline.on_error = meant if has_citus else None
        own_pid = self.ledger.backend_pid if self.is_direct else None
        self._watch = Watch(
            self.pipeline,
            lambda: self.beside,
            token,
            own_pid,
            has_citus=has_citus,
            notify=notify,
            running=self._running,
        )
        self.after: str | None = None
        """When the last migration was applied that the ledger records."""
        self.hooks: Mapping[str, Script] = {}
        """The hooks of this run that say something, by name."""
        self.due: tuple[Command, ...] = ()
        """With each migration's record: that the hook after all is due, and the values of the hooks' variables."""
        self._ran: list[str] = []
        self.dropped: tuple[str, ...] = ()
        """Ids of hooks that were run in a transaction of their own."""
        self.confinement: Confinement | None = None
        """What keeps a replay inside its database."""
        if database.replay is not None:
            from wflo_schema.engine.confinement import confinement_of

            self.confinement = confinement_of(database)

    @classmethod
    @contextmanager
    # long: each way in which an operation may end
    def on(
        cls,
        database: Database,
        *,
        locks: LockOptions | None = None,
        notify: Notify | None = None,
        stop: Stop | None = None,
        settings: Mapping[str, str] = WATCHED,
        kept: Kept | None = None,
        known: Known | None = None,
    ) -> Iterator[Self]:
        """Connect, and turn what is raised inside into what a user is told.

        ``kept``: a connection that is given back cleared, or closed; ``known``: what was read of the ledger before.
        """
        token = new_token() if kept is None else kept.token
        stop = stop or Stop()
        if kept is None:
            with stop.raising():
                connection = database.with_parameters(application_name=token).connect(settings=settings)
        else:
            connection = kept.connection
        run: Self | None = None
        is_clear = False
        try:
            with stop.raising():
                run = cls(
                    database,
                    connection,
                    locks=locks or LockOptions(),
                    notify=notify or (lambda event: None),
                    stop=stop,
                    token=token,
                    kept=kept,
                    known=known,
                )
            yield run
            is_clear = True
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
                run._close(is_clear=is_clear)
            else:
                connection.close()

    def find_ledger(self) -> Ledger:
        """Look for the ledger where it is to be.  Writes nothing."""
        place, tables = self.database.ledger_place, self.database.schema
        is_apart, is_of_fleet = self.database.ledger_apart is not None, self.is_one_of_many
        # of many schemas each is meant, and looking costs a scan for each
        looks_elsewhere = not (is_of_fleet and self.is_chosen) or is_apart
        found = find_ledger(self.pipeline, place, tables=tables, looks_elsewhere=looks_elsewhere)
        return replace(found, is_apart=is_apart, is_of_fleet=is_of_fleet)

    def make_progress(self) -> None:
        """Make the table of progress, where it is not there or is one of an earlier version."""
        if not (self.ledger.has_progress and self.ledger.has_log_rows):
            self.make(lambda: create_progress(self.pipeline, self.ledger))

    def make(self, making: Callable[[], Ledger]) -> None:
        """Make what the ledger lacks; try again while only locks are in the way."""
        tries = self.tries()
        while True:
            tries.count += 1
            self.start_ledger()
            try:
                self.ledger = making()
                break
            except DatabaseError as error:
                if error.sqlstate not in RETRIED or tries.left_s <= 0:
                    raise
                self.pause(None, error.message, tries)
        self.settle()  # an event trigger may have changed a setting

    @property
    def is_one_of_many(self) -> bool:
        """May others of the same kind be at work on other schemas of this database?"""
        return self._kept is not None

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
        if self.is_kept is not True:
            if self.is_kept is False:
                return "nothing of it was kept, as all of it is one transaction; run it again"
            return "all of it is one transaction, kept as a whole or not at all: wflo-schema status says which"
        if self.queue and not self.queue[0].is_transactional:
            return "the statements before the one that was running stay; run it again: it goes on there"
        if self._operation == "rollback":
            return f"it was either rolled back as a whole or not at all; {_ROLL_BACK_AGAIN}"
        return "it was either applied as a whole or not at all; run it again: it goes on where it stopped"

    def _complete(self, error: WfloSchemaError) -> None:
        error.applied = tuple(d.id for d in self._done)
        error.operation = self._operation or "apply"
        begun = {self.current.id if self.current else None, self.sent_behind}
        error.not_tried = tuple(m.id for m in self.queue if m.id not in begun)

    def _close(self, *, is_clear: bool) -> None:
        """Close the connection, or give it back for another run where it can be cleared."""
        try:
            if self._kept is None or self.pipeline.is_awaited:
                self.pipeline.close()
            elif not is_clear:
                self.settle(ROLLBACK)
        except (DatabaseError, StoppedWaiting):
            self.pipeline.close()
        self._watch.close()

    def begin(self, operation: str, total: int, source: str) -> None:
        """Announce the run of files from ``source``, once it is known that nothing forbids it."""
        if total:
            self.require_primary()
            self.refuse_flaws()
        self._total = total
        self._operation = operation
        version = self.ledger.server_version
        self.notify(Begun(self.label, self._shown_schema, version, operation, total, source))
        if total and operation == "apply" and not self.ledger.is_there and self.ledger.elsewhere and not self.is_chosen:
            said = (
                f"there is no ledger in schema {self.ledger.schema} yet, so one is made; "
                f"the ledger of schema {listed(self.ledger.elsewhere)} is not used: "
                "if you mean that one, name it with --schema"
            )
            self.notify(Notice("", "WARNING", said))

    def require_primary(self) -> None:
        """Raise `Refused` on a standby."""
        if self.ledger.is_standby:
            raise Refused(
                f"{self.database.label} is a standby, which cannot be written to",
                hint="name the primary server instead",
            )

    @property
    def is_chosen(self) -> bool:
        """Was its schema named, by an option or by a search_path in the URL?  Else the server's led to it."""
        return self.database.ledger_place is not None or "search_path" in self._connection.info.options

    def refuse_flaws(self) -> None:
        """Raise `Refused` where the ledger's key locks nothing, or a crash would take its rows."""
        if self.ledger.flaws:
            raise Refused(
                "\n".join(f.what for f in self.ledger.flaws), hint="\n".join(f.mend for f in self.ledger.flaws)
            )

    def recorded_elsewhere(self, hashes: Collection[str], lock_timeout_ms: int | None = None) -> tuple[str, ...]:
        """The other schemas that record any of these migrations, where this ledger may be a second one by mistake.

        That is so where the search_path alone led to it; and where it is apart from the tables, and one would be found
        if it were not.
        """
        if self.database.ledger_apart is None:
            return () if self.is_chosen else self.read_elsewhere(hashes, lock_timeout_ms)
        found = self.read_elsewhere(hashes, lock_timeout_ms)
        return tuple(s for s in found if self.database.schema in (None, s))

    def read_elsewhere(self, hashes: Collection[str], lock_timeout_ms: int | None = None) -> tuple[str, ...]:
        """The other schemas that record any of these migrations.  Raise as `patiently` does."""
        return self.patiently(
            lambda ms: read_elsewhere(self.pipeline, self.ledger, sorted(hashes), ms),
            lock_timeout_ms,
            of="a ledger in another schema",
        )

    @property
    def _shown_schema(self) -> str:
        """The schema that a run is said to be in: that of the tables, which is the ledger's unless that is apart."""
        return (self.database.ledger_apart and self.database.schema) or self.ledger.schema

    def expect(self, more: int) -> None:
        """``more`` migrations are left of those announced."""
        self._total = len(self._done) + len(self._unflushed) + more

    def result(self, operation: str, began: float) -> Result:
        """What was done since ``began``, a time.monotonic()."""
        return Result(
            self.label,
            self._shown_schema,
            self.ledger.server_version,
            operation,
            tuple(self._done),
            (time.monotonic() - began) * 1000,
            self.pipeline.round_trips,
            tuple(self._ran),
            self.dropped,
        )

    def read(
        self, lock_timeout_ms: int | None = None, *, only: Sequence[str] | None = None, first: Sequence[Command] = ()
    ) -> tuple[tuple[Record, ...], tuple[Progress, ...]]:
        """What the ledger records, or of that what ``only`` (hashes) names; and what of it is half-way.

        ``first`` is a transaction that comes before it.
        Raise `DatabaseError` with sqlstate 55P03 where the ledger is locked for ``lock_timeout_ms``, or
        (None) for as long as a migration may wait for its locks.
        """
        if self._known is not None and only is None and not first:
            known, self._known = self._known, None
            self.after = known.after
            return known.records, ()
        found = self.patiently(
            lambda ms: read_ledger(self.pipeline, self.ledger, lock_timeout_ms=ms, only=only, first=first),
            lock_timeout_ms,
        )
        if only is None:
            self.ledger = replace(self.ledger, flaws=found.flaws)
            self.after = last_applied(found.records)
        return found.records, found.progress

    def patiently(self, read: Callable[[int], _T], lock_timeout_ms: int | None = None, *, of: str = "") -> _T:
        """What is read of the ledger's tables by ``read``, which is told how many milliseconds it may wait for a lock.

        ``of``: the ledger, in words, where it is another one.
        Raise `DatabaseError` with sqlstate 55P03 where they are locked for ``lock_timeout_ms``, or
        (None) for as long as a migration may wait for its locks.
        """
        tries = self.tries()
        tries.of = of
        while True:
            tries.count += 1
            timeout_ms = self.locks.of(None) or LOCK_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
            self._watch.begin(_LEDGER, timeout_ms, Patience())
            try:
                found = read(timeout_ms)
                self._watch.end()
                return found
            except DatabaseError as error:
                if error.sqlstate != "55P03":
                    raise
                if lock_timeout_ms is None:
                    self.pause_for_ledger(None, error, tries)
                elif tries.count > 1 or not self._watch.has_seen_nobody:
                    raise self._ledger_locked(tries) from None

    def settings(self, m: Migration) -> dict[str, str]:
        """What holds while a migration runs."""
        settings = {"lock_timeout": str(self.locks.of(m.lock_timeout_ms))}
        if self.database.schema is not None:
            settings["search_path"] = ", ".join(filter(None, [quote_always(self.database.schema), self.ledger.path]))
        if self.pipeline.reads_backslashes:
            settings["standard_conforming_strings"] = "on"  # as when the file was split into statements
        return settings

    def settings_after(self, m: Migration, statement: Statement) -> dict[str, str]:
        """What must be set again after a statement that resets it to the server's value."""
        from wflo_schema.files.statements import OURS, resets

        again: dict[str, str] = {}
        settings = self.settings(m)
        for name in resets(statement):
            if name in settings:
                again[name] = settings[name]
        if self.locks.timeout_ms and not self.locks.caps(statement.text) and "lock_timeout" in statement.text.lower():
            again["lock_timeout"] = settings["lock_timeout"]  # set_config(), wherever it is called
        if not self.is_direct and (resets(statement) == OURS or _RENAMES in statement.raw.lower()):
            again["application_name"] = f"'{self.token}'"  # else nobody finds the session that is to be looked after
        return again

    def set_again(self, m: Migration, script: Script) -> dict[int, dict[str, str]]:
        """What must be set again behind which statements, by their numbers from 0."""
        found = itertools.chain(
            script.statements.beginning_with("SET", "RESET"),
            ((n, s) for n, s in script.statements.beginning_with("SELECT") if b"set_config" in s.raw.lower()),
        )
        looked_for = [*([_LOCK_TIMEOUT] if self.locks.timeout_ms else []), *([] if self.is_direct else [_RENAMES])]
        looked_for = [name for name in looked_for if name in script.once(_settings_named)]
        if looked_for:  # set_config(), whatever calls it
            every = ((n, s, s.raw.lower()) for n, s in enumerate(script.statements))
            found = itertools.chain(found, ((n, s) for n, s, raw in every if any(name in raw for name in looked_for)))
        again = ((number, self.settings_after(m, statement)) for number, statement in found)
        return {number: settings for number, settings in again if settings}

    def command(self, statement: Statement) -> Command:
        """A statement of a file as it is sent: with what a COPY reads, and no lock timeout beyond what is allowed."""
        text = self.locks.capped(statement.text) if self.locks.timeout_ms else statement.raw
        data = statement.data
        return Command(text, data=None if data is None else memoryview(statement.source)[data[0] : data[1]])

    def check_text(self, script: Script) -> None:
        """Raise `BadMigrationFile` for SQL that is none in the eyes of this server.

        The grammar at hand is that of one version; what it does not take, the server is asked to parse.
        """
        from wflo_schema.files.faults import syntax_faults

        for statement, _ in syntax_faults(script):
            parse = Command(statement.raw, is_only_parsed=True)
            error = self.pipeline.exchange([Command("BEGIN"), Command("SET LOCAL lock_timeout = '1s'"), parse]).error
            self.settle(ROLLBACK)
            if error is not None and error.index == 2 and error.sqlstate == "42601":
                location = statement.location(script.path, error.position)
                raise BadMigrationFile(
                    f"{script.path}:{location.line}: {error.message}",
                    hint=f"{syntax_remedy(error.message)}; nothing of this file was run",
                    location=location,
                    source_line=script.source_line(location.line),
                )

    def loader(self, load: Callable[[Migration], Script]) -> Callable[[Migration], Script]:
        """What reads files for this run: ``load``, or what keeps a replay inside its database."""
        return load if self.confinement is None else self.confinement.loader(load, self.pipeline, self.notify)

    @property
    def look_outside(self) -> tuple[Command, ...]:
        """What is asked behind `SETTLE`, before a transaction of a replay commits."""
        return () if self.confinement is None else self.confinement.look

    def refuse_outside(self, script: Script, error: ServerError, number: int | None) -> None:
        """Raise `Refused` where a replay's statement reaches outside of its database."""
        refused = self.confinement and self.confinement.refusal(script, error, number)
        if refused:
            raise refused

    def as_ourselves(self) -> list[Command]:
        """Write to the ledger as the role that the run began as, whatever role the file set."""
        return [
            Command("SET LOCAL SESSION AUTHORIZATION DEFAULT"),
            Command(f"SET LOCAL ROLE {quote_always(self.ledger.role)}"),
        ]

    def as_begun(self, m: Migration) -> list[Command]:
        """For a hook that comes behind a file: the role and search_path of the run, whatever the file has set."""
        path = self.settings(m).get("search_path", self.ledger.path) or "''"
        return [*self.as_ourselves(), Command(f"SET LOCAL search_path = {path}")]

    def part(self, m: Migration, script: Script, hook: str = "", *, before: Sequence[Command] = ()) -> Part:
        """A file's statements, as they are sent while a migration runs."""
        return Part(script, self.commands_again(m, script), hook, tuple(before))

    def commands_again(self, m: Migration, script: Script) -> dict[int, list[Command]]:
        """What is sent behind which statements, by their numbers from 0; on Citus also what a file sets for workers."""
        again = self.set_again(m, script)
        if self.ledger.has_citus:
            for number, statement in script.statements.beginning_with("SET"):
                if wished := self.locks.set_by(statement.text):
                    again[number] = {**again.get(number, {}), "lock_timeout": wished}
        return {number: self.set_local(settings) for number, settings in again.items()}

    def set_local(self, settings: Mapping[str, str]) -> list[Command]:
        """Settings of this transaction; on Citus the lock timeout holds on the workers, too."""
        commands = set_local(settings)
        if not self.ledger.has_citus or "lock_timeout" not in settings:
            return commands
        place = list(settings).index("lock_timeout")
        return [*commands[:place], *telling_workers(commands[place]), *commands[place + 1 :]]

    @property
    def named(self) -> tuple[Command, ...]:
        """Our name in a transaction: DISCARD ALL has taken that with which we have connected to a pooler.

        And what such a one takes from no client: that the server looks whether its own client is still there.
        """
        return () if self.is_direct else (Command(load_sql("engine", "name"), (self.token, _LOOKED_AFTER_MS)),)

    def name_migration(self, m: Migration) -> Command:
        """Let hooks ask which migration it is."""
        return Command("SELECT pg_catalog.set_config('wflo_schema.migration', $1, TRUE)", (m.id,))

    def seal(self, m: Migration, script: Script, *, as_ourselves: bool = False) -> Sequence[Command]:
        """Before COMMIT: do what is left for it, look that the record is there, and end all writing.

        ``as_ourselves``: as the role that the run began as, where the file may have changed it.
        """
        role = self.as_ourselves() if as_ourselves or script.once(_may_change_role) else ()
        return (SETTLE, *self.look_outside, *role, seal_command(self.ledger, m))

    def unrecorded(self, m: Migration, script: Script, error: ServerError) -> WfloSchemaError:
        """The error for a `seal` that found no record, or that could not look."""
        table = f"{quote_always(self.ledger.schema)}._yoyo_migration"
        is_rollback = self._operation == "rollback"
        but = NOTHING_KEPT if m.is_transactional else "all of its statements were run, and stay"
        if error.sqlstate not in ("22012", *LEDGER_GONE):
            what = f"after {m.id} its record in the ledger could not be looked at: {error.message}"
            if (said := distributed_remedy(error)) is not None:
                return failure(what, f"{said}; {but}", m, script, error=error)
            hint = f"take out of the file what changes {table} or the settings of the session; {but}"
            return failure(what, hint, m, script, error=error)
        if m.id.startswith(f"{HOOKS}/"):
            what = f"{m.id} changes what the ledger records ({table})"
            return failure(what, f"take that out of the hook; {but}", m, script, error=error)
        if self.ledger.has_triggers and not is_rollback:
            return DatabaseError(
                f"the ledger in schema {self.ledger.schema} does not keep the record of {m.id}; {but}",
                hint=f"look at the triggers and rules on {table} and _yoyo_log, and at what the file does to them",
                sqlstate=error.sqlstate,
            )
        what = f"{m.id} takes away the ledger that would record it, or its own record ({table})"
        if is_rollback:
            what = f"the rollback of {m.id} changes the ledger itself ({table})"
        if not m.is_transactional:
            what += f"; {but}"
            hint = "bring the ledger's tables back as they were, from a backup, and run it again: it is recorded then"
            if not is_rollback:
                hint += (
                    "\nwithout a backup: take out of the file what changes the ledger's tables or their schema, and "
                    f"record what is applied: wflo-schema baseline --to {m.id} --unverified"
                )
        elif is_rollback:
            hint = "take out of the file what changes the ledger's tables or their schema; nothing was rolled back"
        else:
            hint = (
                "neither the file nor the functions and triggers that it runs may change the ledger's tables or "
                f"their schema; {but}"
            )
        return failure(what, hint, m, script, error=error)

    def written_at_commit(self, m: Migration, script: Script, error: ServerError) -> MigrationFailed:
        """The error for what would write when the record has been looked at: it could take it away."""
        failed = self.failed(m, script, error, None)
        failed.hint = (
            "nothing may be left for COMMIT to do: close each cursor WITH HOLD, and let no trigger set constraints "
            f"to DEFERRED; {NOTHING_KEPT}"
        )
        return failed

    def start(self, m: Migration, gives_way: Script | None = None, *, goes_on: bool = False) -> None:
        """A migration is being run, for the first time or again.

        ``gives_way``: in one transaction, to others; it ``goes_on``: in the one of the migration before.
        """
        number = len(self._done) + len(self._unflushed) + self.under_way + 1
        if gives_way is not None:
            self.script = gives_way
        if self.current is None or self.current.id != m.id:
            self.script = gives_way
            self.current = Running(m.id, number, self._total)
            self._current_began = time.monotonic()
            self._told_of_colleague_at = 0.0
            self._watch.blockers = ()
            self.notify(self.current)
        texts = (s.text for s in gives_way.statements) if gives_way is not None else None
        block_ms = self.locks.block_of(m.block_timeout_ms, *self.block_wishes_ms)
        patience = self.locks.patience(m.lock_timeout_ms, texts, block_ms)
        self._watch.begin(m.id, self.locks.of(m.lock_timeout_ms), patience, goes_on=goes_on)

    def start_ledger(self, lock_timeout_ms: int | None = None) -> tuple[Command, ...]:
        """A transaction of the ledger's own is begun, or one for several files; return the commands that begin it."""
        self.block_wishes_ms = ()
        timeout_ms = self.locks.of(None) if lock_timeout_ms is None else lock_timeout_ms
        self._watch.begin(_LEDGER, timeout_ms, Patience(self.locks.block_of(None)))
        return (BEGIN, *self.named, *self.set_local({"lock_timeout": str(timeout_ms)}))

    def _running(self, progress: StatementProgress | None) -> Running | None:
        """The migration that is being run, with how far its statement is, and which that is."""
        if self.current is None:
            return None
        if progress is not None and self.script is not None:
            number, of = number_of(self.script, progress.query)
            progress = replace(progress, number=number, of=of)
        return replace(self.current, elapsed_s=time.monotonic() - self._current_began, progress=progress)

    def finished(
        self, m: Migration, operation: str, statements: int, *, is_flushed: bool, duration_ms: float | None = None
    ) -> None:
        """A migration is committed, and on disk (``is_flushed``) or soon; it took the time since it was started."""
        if duration_ms is None:
            duration_ms = (time.monotonic() - self._current_began) * 1000
        number = len(self._done) + len(self._unflushed) + 1
        self._unflushed.append(Done(m.id, operation, duration_ms, statements, number, self._total))
        self.current = None
        self._watch.end()
        if is_flushed:
            self._report()

    def ran(self, hook: Migration, statements: int) -> None:
        """A hook is committed that had a transaction of its own, and on disk."""
        duration_ms = (time.monotonic() - self._current_began) * 1000
        self._ran.append(hook.id)
        self.current = None
        self._watch.end()
        many = counted(statements, "statement")
        self.notify(Notice(hook.id, "RAN", f"{hook.id}  ({many}, {duration(duration_ms)})"))

    @property
    def has_done(self) -> bool:
        """Was a migration done in this run?"""
        return bool(self._done)

    def finished_together(self, done: Sequence[Done], *, is_flushed: bool) -> None:
        """These are committed, all at once."""
        self._unflushed += done
        self.current, self.is_kept = None, True
        self._watch.end()
        if is_flushed:
            self._report()

    def _report(self) -> None:
        for done in self._unflushed:
            self._done.append(done)
            self.notify(done)
        self._unflushed.clear()
        self.flushed_at = time.monotonic()

    @property
    def to_disk(self) -> tuple[Command, ...]:
        """What `kept.to_disk` says, for this session."""
        return to_disk(self.ledger)

    def flush(self) -> None:
        """Wait until every commit of this run is on disk, then report it."""
        if not self._unflushed:
            return
        for _ in range(2):  # a cancel request that came late may hit the first
            outcome = self.pipeline.exchange(self.to_disk)
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
        return self.expected(self.pipeline.exchange(commands))

    def expected(self, outcome: Exchange) -> Exchange:
        """The outcome of what was not expected to fail.  Raise `DatabaseError` where it has."""
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

    def tries(self) -> Tries:
        """Begin to try something for as long as it may wait for locks."""
        return Tries(self.locks.wait_s)

    def pause(self, m: Migration | None, reason: str, tries: Tries) -> None:
        """Sleep before another try of a migration, or (None) of the ledger's own statements."""
        longest = min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(tries.count - 1, 10))
        import random

        pause_s = min(max(tries.left_s, _FIRST_PAUSE_S), longest * random.uniform(0.5, 1.5))
        what = m.id if m else _LEDGER
        self.notify(Retrying(what, reason, pause_s, tries.count, self._watch.blockers))
        self._sleep(pause_s, m)

    def pause_for_ledger(self, m: Migration | None, error: ServerError | DatabaseError, tries: Tries) -> None:
        """Let a moment pass: the ledger's table, or the row of this migration, is locked.

        Wait for a colleague as long as it works; for anybody else, until the time for locks is over,
        or ten times that where no blocker can be seen: then raise `DatabaseError`.  A statement_timeout that
        is too short for the ledger's statements ends it when the time for locks is over, too.
        """
        if isinstance(error, ServerError) and error.keeps_waiting:
            raise self.ledger_error(error)
        is_colleague = any(b.is_colleague for b in self._watch.blockers)
        is_unseen = not self._watch.blockers and error.sqlstate != "57014"
        if is_colleague or (is_unseen and tries.waited_s < _UNSEEN * self.locks.wait_s):
            who = "another run" if is_colleague else "another run, or a session that cannot be seen,"
            self.wait_for_colleague(m, tries, f"{who} holds the ledger")
            return
        is_over = tries.left_s <= 0
        if is_over and not self._watch.blockers and isinstance(error, ServerError) and error.sqlstate == "57014":
            raise self.ledger_error(error)
        if is_over:
            raise self._ledger_locked(tries)
        self.pause(m, error.message, tries)

    def pause_for_locks(self, m: Migration, error: ServerError, tries: Tries) -> None:
        """Let a moment pass where only locks keep an interruption from being mended; else raise."""
        if self.stop.is_requested:
            raise self.stopped(f"{m.id} was not resumed")
        if error.sqlstate not in RETRIED or tries.left_s <= 0:
            raise DatabaseError(
                f"{m.id} cannot be resumed: {error.message}{self._watch.blocked_by}",
                sqlstate=error.sqlstate,
                hint=error.hint,
            )
        self.pause(m, error.message, tries)

    def _ledger_locked(self, tries: Tries) -> DatabaseError:
        return DatabaseError(
            f"{tries.of or f'the ledger in schema {self.ledger.schema}'} was locked in {tries} "
            f"over {tries.waited_s:.0f} s{self._watch.blocked_by}",
            hint=f"{self._watch.end_blockers}, then run it again",
            sqlstate="55P03",
        )

    def wait_for_colleague(
        self,
        m: Migration | None,
        tries: Tries,
        said: str = "another run is at work on a non-transactional migration",
    ) -> None:
        """Say what another run is at, and let a moment pass."""
        waited_s = tries.waited_s
        if self.current is not None:
            r = self.current
            self.notify(Running(r.id, r.number, r.total, waited_s, waits=said))
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

    # errors

    def ledger_error(self, error: ServerError) -> DatabaseError:
        """Make the error that says that the ledger could not be written, and what to grant where a grant is missing."""
        if error.keeps_waiting:
            return DatabaseError(
                f"{self.current.id if self.current else _LEDGER}: {error.message}",
                hint=instead_of("", error.table),
                sqlstate=error.sqlstate,
            )
        return DatabaseError(
            f"the ledger in schema {self.ledger.schema} could not be written: {error.message}",
            sqlstate=error.sqlstate,
            hint=ledger_remedy(error, self.ledger.grant("SELECT, INSERT, UPDATE, DELETE")),
        )

    def pause_or_give_up(
        self, m: Migration, script: Script, error: ServerError, number: int | None, tries: Tries
    ) -> None:
        """Let a moment pass where only locks are in the way; raise `LockNotAcquired` where time is over."""
        is_unseen = self._watch.has_seen_nobody and error.sqlstate == "55P03"
        if tries.left_s > 0 or (is_unseen and tries.count < _TRIES_TO_SEE):
            self.pause(m, error.message, tries)
            return
        statement = None if number is None else script.statements[number]
        made = failure(
            f"{m.id} did not get a lock in {tries} over {tries.waited_s:.0f} s: "
            f"{error.message}{self._watch.blocked_by}",
            f"{self._watch.end_blockers}, then run it again; "
            "or wait longer for locks, with --lock-timeout and --lock-wait",
            m,
            script,
            statement=statement,
            error=error,
            kind=LockNotAcquired,
        )
        self._flush_quietly()
        self._complete(made)
        raise made

    def failed(
        self,
        m: Migration,
        script: Script,
        error: ServerError,
        number: int | None,
        *,
        place: str = "",
        then: str = "",
        hook: str = "",
    ) -> MigrationFailed:
        """The error of a migration that PostgreSQL refused, in statement ``number`` (from 0) or at its end (None).

        ``place`` says where it failed, if not at a word of the statement; ``then`` what else to do where the
        statements before it stay; ``hook`` whose script it is, if not the migration's own.
        """
        self._flush_quietly()
        statement = None if number is None else script.statements[number]
        hint = self._lacks(error) or remedy(
            error,
            statement.text[:10_000] if statement else "",
            script.statements[: number or 0],
            keeps_nothing=m.is_transactional,
        )
        if statement is None or number is None:
            last = script.statements[-1].line if script.statements else 1
            location = Location(script.path, last)
            place = place or ("at COMMIT" if is_worker_lost(error) else "at COMMIT (a deferred constraint or trigger)")
        else:
            location = row_of_copy(statement, error, statement.location(script.path, 1 if place else error.position))
            of = f" of {HOOKS}/{hook}" if hook else ""
            place = f"in statement {number + 1} of {len(script.statements)}{of}{f', {place}' if place else ''}"
        if error.sqlstate in DEPENDED_ON and self.has_repeated and not m.is_transactional:
            hint = f"{hint}\n{_NOT_TAKEN_DOWN}"
        if number is not None and not m.is_transactional:
            goes_on = f"when it is mended, run it again: it goes on with statement {number + 1}"
            hint = "\n".join(filter(None, (hint, then or f"the statements before it stay; {goes_on}")))
        message = f"{m.id} failed {place}: {error.message}"
        made = failure(message, hint, m, script, statement=statement, error=error, location=location)
        if error.sqlstate == "23503" and statement is not None:
            made.orphans = self._orphans(error, statement)
        if self.confinement is not None:
            self.confinement.explain(made)
        self._complete(made)
        return made

    def _lacks(self, error: ServerError) -> str:
        """What to do where the project's own server lacks an extension or a feature; empty for anything else."""
        if error.sqlstate not in ("0A000", "58P01"):
            return ""
        from wflo_schema.server.installed import remedy_for_missing

        return remedy_for_missing(error.message, error.detail, self.database, self.ledger.server_version)

    def _orphans(self, error: ServerError, statement: Statement) -> OrphanRows | None:
        """Count and show the rows that violate the key, on the watching connection, now that all is rolled back."""
        from wflo_schema.catalog import orphans

        try:
            with self.beside.connect() as connection:
                put_schema_first(connection, self.database.schema)
                return orphans.of_failed_statement(connection, statement.text, table=(error.schema, error.table))
        except (psycopg.Error, DatabaseError):
            return None


def _may_change_role(script: Script) -> bool:
    return len(script.source) > _SEARCHED or _CHANGES_ROLE.search(script.source) is not None


def _settings_named(script: Script) -> frozenset[bytes]:
    source = script.source.lower()
    return frozenset(name for name in (_LOCK_TIMEOUT, _RENAMES) if name in source)


def failure(
    message: str,
    hint: str,
    m: Migration,
    script: Script,
    *,
    statement: Statement | None = None,
    error: ServerError | None = None,
    location: Location | None = None,
    kind: type[MigrationFailed] = MigrationFailed,
) -> MigrationFailed:
    """The error for a statement of a file, or for the file; ``location``: where, if not where that begins."""
    at = location or (statement.location(script.path) if statement else Location(script.path, 1))
    return kind(
        message,
        hint=hint,
        migration_id=m.id,
        location=at,
        statement=statement.written if statement else "",
        source_line=script.source_line(at.line) if statement or location else "",
        sqlstate=error.sqlstate if error else "",
        detail=error.detail if error else "",
        server_hint=error.hint if error else "",
        context=error.context if error else "",
    )


def row_of_copy(statement: Statement, error: ServerError, location: Location) -> Location:
    """The line of the file that PostgreSQL counts as a line of the COPY's data, else the location as it is."""
    from wflo_schema.files.script import Statement

    row = re.search(r"\bCOPY .*?, [^\s\d]+ (\d+)", error.context) if statement.data is not None else None
    if row is None or statement.data is None:
        return location
    first = Statement(statement.source, statement.data[0])
    return Location(location.path, first.line + int(row[1]) - 1, 1)

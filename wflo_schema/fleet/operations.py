"""Migrate and roll back many targets: each is applied by the engine as it is, and has its own outcome."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import closing
from dataclasses import replace
from typing import Any

from wflo_schema.connect.pipeline import Stop, StoppedWaiting
from wflo_schema.engine import operations
from wflo_schema.engine.events import Event, Result, Retrying, Running
from wflo_schema.engine.kept import Known
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import Allow, Plan, compare, plan_migrations
from wflo_schema.engine.repeatables import RepeatableEntry, RepeatableState
from wflo_schema.errors import BadMigrationFile, ConnectionLost, DatabaseError, Interrupted, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.fleet.connections import Held, Keeper
from wflo_schema.fleet.outcomes import (
    Beginning,
    FleetNotify,
    FleetOptions,
    FleetResult,
    Queued,
    State,
    Tally,
    Told,
    Wave,
    forget_frames,
)
from wflo_schema.fleet.reading import Read, Reader
from wflo_schema.fleet.runs import Leased, Shared
from wflo_schema.fleet.targets import Target
from wflo_schema.fleet.turns import turn
from wflo_schema.fleet.waves import Crew, Turn, read_ledgers, waves

# How often a target is tried where its connection is lost: a statement that makes the server crash would be run again.
_MOST_TRIES = 2

# Does a target with the run that it is given: an operation of the engine.
_Operation = Callable[[Target, dict[str, Any]], Result]


# many parameters: those of the engine's `migrate`
def migrate_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    *,
    options: FleetOptions | None = None,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
    drop_deleted: bool = False,
    phase: Phase | None = None,
    locks: LockOptions | None = None,
    notify: FleetNotify | None = None,
    stop: Stop | None = None,
) -> FleetResult:
    """Migrate every target as `engine.operations.migrate` does; one that fails does not stop the others.

    Those with nothing to do are told from their ledgers, which are read together.  A target is either before or after
    a migration, whatever ends the run: run again, it does what is left.

    Raise `BadMigrationFile` before anything runs, also for a file that names a schema outright.  What is wrong with
    one target is its outcome.  Where ``stop`` is requested, those that were begun end first; the others are not tried.
    """
    migrations.refuse_empty()
    if to is not None:
        migrations.resolve(to)  # what no file is called is no fault of a target
    more: dict[str, Any] = {"to": to, "allow": allow, "together": together, "phase": phase}

    def plan_from(known: Known, repeatables: tuple[RepeatableEntry, ...]) -> Plan:
        compared = fleet.shared.status(known.records, lambda: compare("", known.ledger, migrations, known.records, ()))
        compared = replace(compared, repeatables=repeatables)
        return plan_migrations(compared, migrations, to, allow, together=together, phase=phase)

    def is_due(read: Read) -> bool:
        if read.known is None:
            return True
        planned = plan_from(read.known, read.repeatables or ())
        fleet.pending.update((m.id, m) for m in planned.files)
        drops = drop_deleted and any(e.state is RepeatableState.DELETED for e in planned.status.repeatables)
        by_itself = read.repeatables is None or drops
        return bool(by_itself or len(planned) or planned.refusals or planned.status.followed)

    def work(target: Target, options: dict[str, Any]) -> Result:
        return operations.migrate(
            target.database, migrations, **more, create_schema=create_schema, drop_deleted=drop_deleted, **options
        )

    def look(target: Target, leased: Leased) -> None:
        operations.plan(
            target.database,
            migrations,
            **more,
            create_schema=create_schema,
            drop_deleted=drop_deleted,
            runs_in=leased,
        )

    fleet = _Fleet("apply", work, targets, migrations, options=options, locks=locks, notify=notify, stop=stop)
    fleet.look = look
    return fleet.run(is_due=is_due)


# many parameters: those of the engine's `rollback`
def rollback_fleet(
    targets: Sequence[Target],
    migrations: Migrations,
    *,
    options: FleetOptions | None = None,
    count: int = 1,
    to: str | None = None,
    only: str | None = None,
    together: bool = False,
    locks: LockOptions | None = None,
    notify: FleetNotify | None = None,
    stop: Stop | None = None,
) -> FleetResult:
    """Roll every target back as `engine.operations.rollback` does; one that fails does not stop the others.

    Raise as `migrate_fleet` does.
    """
    migrations.refuse_empty()
    more: dict[str, Any] = {"count": count, "to": to, "only": only, "together": together}

    def work(target: Target, options: dict[str, Any]) -> Result:
        return operations.rollback(target.database, migrations, **more, **options)

    fleet = _Fleet("rollback", work, targets, migrations, options=options, locks=locks, notify=notify, stop=stop)
    fleet.is_repeatable = to is not None
    return fleet.run()


class _Fleet:
    """One operation over many targets."""

    def __init__(
        self,
        name: str,
        operation: _Operation,
        targets: Sequence[Target],
        migrations: Migrations,
        *,
        options: FleetOptions | None,
        locks: LockOptions | None,
        notify: FleetNotify | None,
        stop: Stop | None,
    ) -> None:
        self._name, self._operation, self._locks = name, operation, locks
        self._targets = targets
        schemas = frozenset(t.database.schema for t in targets if t.database.schema is not None)
        self.shared = Shared(migrations, schemas)
        self.pending: dict[str, Migration] = {}
        """Files that are known to be run in some target."""
        self._options = options or FleetOptions()
        self._notify = notify or (lambda event: None)
        self._stop = stop or Stop()
        self.look: Callable[[Target, Leased], None] = lambda target, leased: None
        """Raises `BadMigrationFile` where something of what is due in a target cannot be run."""
        self.is_repeatable = True
        """Done twice it is as done once, so that what was lost with a connection may be done again."""
        self._begun: set[str] = set()
        """Names of targets in which something was sent, where it may not be done again."""
        self._crew = Crew(self._options, self._stop, keeps=True)
        self._tally = Tally(len(targets), self._notify)
        self._known: dict[str, Known] = {}
        """What was read of a target beforehand, by its name, until it is its turn."""

    def run(self, *, is_due: Callable[[Read], bool] | None = None) -> FleetResult:
        """Do it on all targets; ``is_due``: may there be something to do, where the ledgers are read beforehand."""
        began = time.monotonic()
        with turn(self._targets, stop=self._stop, notify=lambda label, s: self._notify(Queued(label, s))) as held:
            self._crew.make_room = held.close
            with closing(self._crew):
                stopped = self._all(is_due)
        outcomes = tuple(self._tally.outcomes[t.name] for t in self._targets)
        if self._stop.is_requested:
            stopped = str(self._stop.interrupted("").message).rstrip(": ")
        return FleetResult(self._name, outcomes, (time.monotonic() - began) * 1000, stopped)

    def _all(self, is_due: Callable[[Read], bool] | None) -> str:
        """Do it on all targets; return why some were not tried, if so."""
        left: Sequence[Target] = self._targets
        stopped = ""
        if is_due is not None:
            left = self._read(is_due)
            hooks = self.shared.migrations.hooks if self.pending else ()
            self.shared.refuse_named([*self.pending.values(), *hooks], self.shared.load(load_script))
            self._refuse_unread(left)
        self._notify(Beginning(self._name, len(self._targets), len(left), self.shared.migrations.where))
        for number, wave in enumerate(waves(left, self._options.canary), 1):
            if self._options.canary:
                self._notify(Wave(number, len(wave)))
            failures = self._tally.failures
            self._crew.run(wave, self._one, end=self._flush)
            if self._options.canary and number == 1 and self._tally.failures > failures:
                stopped = "the canary failed"
            elif self._has_failed_enough():
                stopped = f"{self._tally.failures} failed, and --stop-after-failures says so"
            if stopped or self._stop.is_requested:
                break
        for target in left:
            if target.name not in self._tally.outcomes:
                self._tally.finish(target, State.NOT_TRIED)
        return stopped

    def _has_failed_enough(self) -> bool:
        most = self._options.stop_after_failures
        return most is not None and self._tally.failures >= most

    def _read(self, is_due: Callable[[Read], bool]) -> list[Target]:
        """Read the ledgers of databases with several targets; finish what has nothing to do, return the rest."""
        due: dict[tuple[object, ...], bool] = {}
        lock = threading.Lock()

        def has_nothing(target: Target, one: Read) -> bool:
            is_empty = one.known is not None and one.known.is_empty
            key = (one.known is None, one.digest, is_empty, one.repeatables)
            with lock:
                if key not in due:
                    due[key] = is_due(one)
            if due[key]:
                self._crew.get_ready()
            else:
                self._tally.finish(target, State.NOTHING)
            return not due[key]

        left, self._known = read_ledgers(self._crew, self._targets, Reader(self.shared.migrations), has_nothing)
        return left

    def _refuse_unread(self, left: Sequence[Target]) -> None:
        """Raise `BadMigrationFile` for what names a schema and is due where what is due was not read beforehand."""
        migrations = self.shared.migrations
        unread = [t for t in left if t.database.schema and t.failure is None and t.name not in self._known]
        files = (m for m in (*migrations, *migrations.repeatables) if m.id not in self.pending)
        if not unread or not self.shared.may_refuse(files):
            return

        def look(target: Target, keeper: Keeper) -> None:
            try:
                self.look(target, Leased(keeper.connection(target.place), self.shared, None))
            except BadMigrationFile:
                raise
            except (WfloSchemaError, StoppedWaiting):
                return  # told of it when it is its turn

        self._crew.run(unread, look)

    def _one(self, target: Target, keeper: Keeper) -> None:
        """Do it on one target; say now and then what became of it, for all that is on disk at once."""
        if not keeper.leads_to(target.place):
            self._flush(keeper)
        if target.failure is not None:
            self._fail(target, (), time.monotonic(), target.failure)
        else:
            self._do(target, keeper)
        if keeper.is_due:
            self._flush(keeper)

    def _flush(self, keeper: Keeper) -> None:
        """Finish what is held; where it may have been lost with its server, do it again."""
        try:
            held = keeper.flush()
        except (DatabaseError, StoppedWaiting):
            held, keeper.held = keeper.held, []
            keeper.waits = True  # nobody else knows of them
            for one in held:
                self._do(one.target, keeper, before=one)
            return
        for one in held:
            self._finish(one)

    def _finish(self, one: Held, state: State = State.DONE) -> None:
        spent_ms = (time.monotonic() - one.began) * 1000
        self._tally.finish(one.target, state, one.ids, duration_ms=spent_ms, dropped=one.dropped)

    def _do(self, target: Target, keeper: Keeper, *, before: Held | None = None) -> None:
        """Do it on one target; ``before``: it was done, and may have been lost since."""
        began = time.monotonic() if before is None else before.began
        ids, dropped = ((), ()) if before is None else (before.ids, before.dropped)
        for attempt in range(_MOST_TRIES):
            try:
                kept = keeper.connection(target.place)
                with self._crew.gate(target).turn() as turn:
                    known = self._known.pop(target.name, None)
                    flushes = before is not None or not self.is_repeatable
                    leased = Leased(kept, self.shared, known, flushes=flushes)
                    tell = self._teller(target, turn, keeper.server.tokens)
                    more = {"locks": self._locks, "notify": tell, "stop": self._stop, "runs_in": leased}
                    result = self._operation(target, more)
            except ConnectionLost as error:
                ids = _joined(ids, error.applied)
                self._flush(keeper)
                may_go_on = target.name not in self._begun and not self._stop.is_requested
                if attempt + 1 < _MOST_TRIES and may_go_on:
                    continue
                self._fail(target, ids, began, error)
            except WfloSchemaError as error:
                self._fail(target, _joined(ids, error.applied), began, error)
            else:
                one = Held(target, _joined(ids, result.ids), began, _joined(dropped, result.dropped))
                if leased.is_behind:
                    keeper.held.append(one)
                else:
                    self._finish(one, State.DONE if one.ids or result.hooks or one.dropped else State.NOTHING)
            return

    def _fail(self, target: Target, ids: tuple[str, ...], began: float, error: WfloSchemaError) -> None:
        if isinstance(error, Interrupted) and not ids and error.message.endswith("nothing was under way"):
            return  # it was not begun
        spent_ms = (time.monotonic() - began) * 1000
        forget_frames(error)
        self._tally.finish(target, State.FAILED, ids, duration_ms=spent_ms, error=error)
        if self._has_failed_enough():
            self._crew.end()

    def _teller(self, target: Target, turn: Turn, ours: Collection[str]) -> Callable[[Event], None]:
        """Tell on; who waits for another one of this run, or was in a deadlock, goes on alone."""

        def tell(event: Event) -> None:
            self._notify(Told(target.name, event))
            if isinstance(event, Running) and not self.is_repeatable:
                self._begun.add(target.name)
            if isinstance(event, Retrying):
                is_ours = any(b.application_name in ours for b in event.blockers)
                if is_ours or turn.is_alone or not event.blockers:
                    turn.step_aside(is_ours=is_ours)

        return tell


def _joined(ids: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    """What was done before and now; what was lost in between is done again."""
    return (*(i for i in ids if i not in more), *more)

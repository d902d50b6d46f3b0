"""Plan, migrate, roll back, status, baseline: the only writer of a target's schema and ledger.

A migration is one network round trip: ``BEGIN``, its ledger row **first**, its statements one by
one, ``COMMIT``, ``DISCARD ALL``.  The ledger's primary key is the lock: whoever comes second waits
on the row, finds it there, plans again and goes on.  No session state is needed (so pgbouncer in
transaction mode is fine), and a killed run leaves nothing behind.  Hides locks, transactions,
retries and what PostgreSQL's errors mean.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Protocol

from wflo_schema.connect.database import PATIENT, WATCHED, Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine.events import Notify, Result
from wflo_schema.engine.ledger import (
    read_grants,
)
from wflo_schema.engine.locks import LockOptions
from wflo_schema.engine.planning import (
    Allow,
    Plan,
    Scripts,
    State,
    Status,
    as_applied,
    load_rollback_or_refuse,
    plan_migrations,
    refuse,
    refuse_apart,
    refuse_elsewhere,
    rollback_targets,
)
from wflo_schema.engine.repeatables import (
    RepeatableState,
    Text,
    repeatable_id,
)
from wflo_schema.engine.running import Run, changed_before, keeps_no_record
from wflo_schema.engine.values import (
    all_with_recorded,
    with_recorded,
)
from wflo_schema.errors import Refused
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.listing import AFTER_ROLLBACK, AROUND_APPLYING
from wflo_schema.words import listed


class RunsIn(Protocol):
    """Begins the session of an operation, as `Run.on` does."""

    def on(
        self,
        database: Database,
        *,
        locks: LockOptions | None = None,
        notify: Notify | None = None,
        stop: Stop | None = None,
        settings: Mapping[str, str] = WATCHED,
    ) -> AbstractContextManager[Run]:
        """Yield it; at the end it says what became of the operation."""
        ...


# Milliseconds that reading the ledger waits where somebody has locked it.
READ_TIMEOUT_MS = 3_000

# How often a run may find that somebody else recorded a migration, and then find it pending again.
_MOST_CONFLICTS = 20


def status(
    database: Database,
    migrations: Migrations,
    *,
    lock_timeout_ms: int | None = None,
    with_grants: bool = False,
    runs_in: RunsIn = Run,
) -> Status:
    """Compare files and ledger.  Writes nothing, and needs no more than SELECT on the ledger.

    ``with_grants``: say as well who else than its owner may write to the ledger.
    Raise `CannotRead` when the ledger is there and may not be read, `DatabaseError` with sqlstate
    55P03 when it is locked for ``lock_timeout_ms`` (None: three seconds), `Refused` where the folders hold no
    migration or there is no such schema.
    """
    if migrations.directories:
        migrations.refuse_empty()
    patience_ms = READ_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
    with runs_in.on(database, settings={**PATIENT, **reading(patience_ms)}) as run:
        found = run.status(migrations, patience_ms)
        return replace(found, grants=read_grants(run.pipeline, run.ledger)) if with_grants else found


def reading(lock_timeout_ms: int = READ_TIMEOUT_MS) -> dict[str, str]:
    """The settings of a session that only reads."""
    return {
        **WATCHED,
        "lock_timeout": str(lock_timeout_ms),  # the catalogs may be locked as well
        "row_security": "off",  # a row that is hidden would be called pending
    }


# many parameters: those of `migrate`
def plan(
    database: Database,
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
    drop_deleted: bool = False,
    phase: Phase | None = None,
    runs_in: RunsIn = Run,
) -> Plan:
    """Say what `migrate` would do with the same arguments, and what would stop it.  Writes nothing.

    Raise `BadMigrationFile` for a file that `migrate` would refuse, `Refused` where there is no migration at all or
    no such schema.
    """
    migrations.refuse_empty()
    with runs_in.on(database, settings=reading()) as run:
        run.creates_schema = create_schema
        found = run.status(migrations, READ_TIMEOUT_MS)
        planned = plan_migrations(found, migrations, to, allow, together=together, phase=phase)
        _refuse_misspelt(planned)
        planned = run.unless_run_elsewhere(planned, migrations)
        if planned.pending:
            refuse_elsewhere(planned.status)
            run.refuse_flaws()
        scripts = Scripts([m.with_any_values() for m in planned.files], load_script)
        run.validate(scripts, run.check_ready)
        if len(planned) or run.is_due:
            run.read_hooks(migrations.changed(Migration.with_any_values), AROUND_APPLYING, load_script)
        gone = [e.id for e in found.repeatables if drop_deleted and e.state is RepeatableState.DELETED]
        return replace(planned, wrapped=tuple(scripts.wrapped), hooks=run.hooks_of(planned), drops=tuple(gone))


def _refuse_misspelt(planned: Plan) -> None:
    """Raise `BadMigrationFile` for a late file with what nearly is a directive: it may have been meant for later."""
    late = {e.id for e in planned.status.pending if e.is_late}
    for m in planned.pending:
        if m.id in late:
            load_script(m.with_any_values()).refuse_doubtful()


# many parameters: what stops it, what it may do, and who is told
# long: its promises take half of it
def migrate(
    database: Database,
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
    drop_deleted: bool = False,
    phase: Phase | None = None,
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
    runs_in: RunsIn = Run,
) -> Result:
    """Apply every pending migration, or those up to and including ``to``; then the repeatable files that changed.

    With a ``phase`` only those of that phase are applied, and the repeatable files behind the before-deploy ones.
    Each commits together with its record; any number of runs at once do the work once; a killed run
    is finished by the next one.  ``notify`` is told of a migration only once its commit is on disk.
    The repeatable files are applied in one transaction, once no migration is pending; with ``drop_deleted`` what
    those made that are deleted is dropped.

    ``runs_in``: the session that does it, where somebody looks on, or where its connection is kept for others.

    ``together``: all are one transaction, which commits as a whole or not at all; where one of them is
    non-transactional, nothing is run.

    With ``create_schema`` the target's schema is made where it is not there.  In a replay it is made too, and
    neither unfinished files nor missing rollback files count: the files were applied elsewhere.

    Raise `BadMigrationFile` before anything runs; `Refused` when files, ledger and database do not fit and
    ``allow`` does not name the case, or when there is no such schema; `MigrationFailed` (`LockNotAcquired`) after
    rolling back one migration; `Interrupted` when ``stop`` was requested; `ConnectionLost`.  The errors' ``applied``
    and ``not_tried`` say what this run did before.
    """
    migrations.refuse_empty()
    began = time.monotonic()
    with runs_in.on(database, locks=locks, notify=notify, stop=stop) as run:
        run.creates_schema = create_schema or database.replay is not None
        plan_from = functools.partial(
            plan_migrations, migrations=migrations, to=to, allow=allow, together=together, phase=phase
        )
        planned = run.planned(run.settled_status(migrations), plan_from)
        refuse_elsewhere(planned.status)
        _refuse_misspelt(planned)
        refuse(run.unless_run_elsewhere(planned, migrations))
        load = run.loader(load_script)
        scripts = Scripts(planned.files, load)
        run.validate(scripts, run.check_ready if database.replay is None else run.check_replayed)
        if len(planned) or run.is_due:
            run.read_hooks(migrations, AROUND_APPLYING, load)
        run.begin("apply", len(planned), migrations.where)
        run.tell_of_tables_elsewhere(planned.pending)
        for attempt in range(_MOST_CONFLICTS):
            if run.follow(planned.status.followed, migrations):
                break
            if attempt + 1 == _MOST_CONFLICTS:
                raise keeps_no_record(run, planned.status.followed[0].id)
            planned = plan_from(run.settled_status(migrations))
            refuse(planned)
            run.expect(len(planned))
        again = functools.partial(run.apply_repeatables, migrations, scripts, drop_deleted=drop_deleted)
        run.expect_repeatables(planned, drop_deleted=drop_deleted)
        is_one = together and (database.replay is None or runs_in is not Run)
        run.migrate(planned, scripts, migrations, plan_from, together=again if is_one else None)
        if drop_deleted or run.is_to_repeat(planned):
            run.repeat(migrations, scripts, drop_deleted=drop_deleted)
        run.after_all()
        result = run.result("apply", began)
        later = tuple(e.id for e in planned.status.for_later) if phase is Phase.BEFORE_DEPLOY else ()
        return result if phase is None else replace(result, phase=phase, for_later=later)


# many parameters: what a user may ask for
def rollback(
    database: Database,
    migrations: Migrations,
    *,
    count: int = 1,
    to: str | None = None,
    only: str | None = None,
    together: bool = False,
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
    runs_in: RunsIn = Run,
) -> Result:
    """Roll back the last ``count`` migrations, or all after ``to`` (which stays), or ``only`` one.

    Repeatable files that were applied after them have the texts back that they had before.  ``only`` may be one of
    those (``repeatable/NAME``), whose former text is put back.

    ``together``: in one transaction, which commits as a whole or not at all.
    Every rollback file is read before anything runs.  Raise `Refused` when one is missing, empty or
    all comment without ``-- nothing-to-undo``, when a migration applied on the way has no file any
    more, or when others that are applied depend on ``only``; else as `migrate`.
    """
    migrations.refuse_empty()
    began = time.monotonic()
    with runs_in.on(database, locks=locks, notify=notify, stop=stop) as run:
        found = run.status(migrations)
        refuse_elsewhere(found)
        if only is not None and (id_ := repeatable_id(only)):
            run.begin("rollback", 1, migrations.where)
            run.roll_back_file(id_, migrations)
            return run.result("rollback", began)
        targets = rollback_targets(found, migrations, count, to, only)
        recorded = run.read_values()
        targets = tuple(with_recorded(m, recorded) for m in targets)
        if together:
            refuse_apart(targets)
        scripts = Scripts(targets, run.loader(load_rollback_or_refuse))
        run.validate(scripts, lambda m, script: run.check_text(script))
        if targets:
            run.read_hooks(migrations, (AFTER_ROLLBACK,), run.loader(load_script))
        run.begin("rollback", len(targets), migrations.where)
        if targets and not run.follow(found.followed, migrations):
            raise changed_before(targets[0])
        (run.roll_back_together if together else run.roll_back)(targets, scripts)
        return run.result("rollback", began)


def repeatable_texts(database: Database) -> tuple[Text, ...]:
    """The text of each repeatable file that stands, as the ledger has it."""
    with Run.on(database, settings={**PATIENT, **reading()}) as run:
        return tuple(of_one[-1] for of_one in run.read_texts(READ_TIMEOUT_MS).values())


def with_recorded_values(database: Database, migrations: Migrations) -> Migrations:
    """The migrations with the values of variables that the ledger records, before those that are given now.

    So a replay makes what was made here.  Reads nothing where no file has variables.
    """
    if not any(m.variables for m in (*migrations, *migrations.beside)):
        return migrations
    with Run.on(database, settings={**PATIENT, **reading()}) as run:
        return all_with_recorded(migrations, run.read_values(READ_TIMEOUT_MS))


def in_applied_order(database: Database, migrations: Migrations, *, phase: Phase | None = None) -> Migrations:
    """The migrations in the order in which they were applied here, then those that are pending.

    So a replay makes what is here where an after-deploy one came later than by its name.  With the phase before the
    deploy, those that are pending for after it are left out.  Reads nothing where no file is after-deploy.
    """
    if all(m.phase is Phase.BEFORE_DEPLOY for m in migrations):
        return migrations
    found = status(database, migrations)
    later = {e.id for e in found.for_later} if phase is Phase.BEFORE_DEPLOY else ()
    places = {i: n for n, i in enumerate(as_applied(found, migrations))}
    items = sorted((m for m in migrations if m.id not in later), key=lambda m: places.get(m.id, len(places)))
    return migrations.with_items(items)


def baseline(
    database: Database,
    migrations: Migrations,
    ids: Sequence[str],
    *,
    repeatables: Sequence[Text] = (),
    aside: Sequence[str] = (),
    verify: Callable[[], None] | None = None,
    locks: LockOptions | None = None,
) -> Result:
    """Record migrations as applied without running them, all in one transaction; with them ``repeatables``.

    A row without checksum, which plain yoyo wrote, gets one.  ``aside`` are ids that are recorded
    and belong to other files: their rows stay, and are from then on not missing here.  ``verify``
    is called when everything is ready and no lock is held, right before recording; what it raises
    stops the run.  Without it nothing is verified: that is the caller's part.  Raise `Refused` when
    one is recorded already, with its checksum, and `DatabaseError` with sqlstate 55P03 when the
    ledger stays locked for as long as ``locks`` says.
    """
    began = time.monotonic()
    chosen = [migrations.resolve(i) for i in ids]
    with Run.on(database, locks=locks) as run:
        found = run.status(migrations)
        refuse_elsewhere(found)
        entries = {e.id: e for e in found.entries if e.state != State.PENDING}
        again = [m.id for m in chosen if m.id in entries and entries[m.id].has_checksum]
        if again:
            raise Refused(
                f"already recorded as applied: {listed(again)}", hint="leave them out; wflo-schema status lists them"
            )
        run.begin("mark", len(chosen), migrations.where)
        run.mark(chosen, recorded=entries, repeatables=repeatables, aside=aside, verify=verify)
        return run.result("mark", began)

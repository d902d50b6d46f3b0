"""Plan, migrate, roll back, status, baseline: the only writer of a target's schema and ledger.

A migration is one network round trip: ``BEGIN``, its ledger row **first**, its statements one by
one, ``COMMIT``, ``DISCARD ALL``.  The ledger's primary key is the lock: whoever comes second waits
on the row, finds it there, plans again and goes on.  No session state is needed (so pgbouncer in
transaction mode is fine), and a killed run leaves nothing behind.  Hides locks, transactions,
retries and what PostgreSQL's errors mean.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from wflo_schema.connect.database import PATIENT, WATCHED, Database
from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, Exchange, ServerError, Stop
from wflo_schema.connect.schemas import missing_schema
from wflo_schema.engine.events import Notice, Notify, Result
from wflo_schema.engine.ledger import (
    DUE,
    checksum_command,
    create_ledger,
    create_own,
    create_progress,
    delete_command,
    due_command,
    due_removal_command,
    follow_command,
    hook_commands,
    hook_seal_command,
    insert_commands,
    lock_command,
    progress_delete_command,
    ran_command,
    read_grants,
    seal_all_command,
    seal_command,
    seal_removal_command,
    share_command,
)
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS, LockOptions
from wflo_schema.engine.parts import Part, set_local
from wflo_schema.engine.planning import (
    Allow,
    Followed,
    Plan,
    Scripts,
    State,
    Status,
    compare,
    load_rollback_or_refuse,
    plan_migrations,
    refuse,
    refuse_apart,
    refuse_elsewhere,
    rollback_targets,
)
from wflo_schema.engine.remedies import NOTHING_KEPT, of_several
from wflo_schema.engine.repeatables import (
    TABLE,
    RepeatableState,
    Text,
    compare_repeatables,
    existing,
    read_texts,
    repeatable_id,
)
from wflo_schema.engine.repeatables import lock_command as lock_repeatables
from wflo_schema.engine.repeatables import write_command as write_repeatable
from wflo_schema.engine.session import DEPENDED_ON, RETRIED, SETTLE, Conflict, Session, Tries
from wflo_schema.engine.together import CLEAR, RESET_SETTINGS, Course
from wflo_schema.engine.values import (
    all_with_recorded,
    forget_commands,
    needs_table,
    read_values,
    record_commands,
    with_recorded,
)
from wflo_schema.errors import DatabaseError, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, load_script, migration_hash
from wflo_schema.files.listing import (
    AFTER_ALL,
    AFTER_EACH,
    AFTER_ROLLBACK,
    BEFORE_ALL,
    BEFORE_EACH,
    HOOKS,
    NAMES_FILE,
)
from wflo_schema.words import listed

if TYPE_CHECKING:
    from wflo_schema.engine.repeating import Repeating
    from wflo_schema.files.script import Script, Statement

# Seconds of work, at most, that are reported late because nobody waited for its commits yet.
_FLUSH_EVERY_S = 0.25

# Milliseconds that reading the ledger waits where somebody has locked it.
_READ_TIMEOUT_MS = 3_000

# Characters: behind a longer migration the next one is not sent while it runs.
_LONGEST_AHEAD = 1_000_000

# A file that names the ledger's tables may have taken away what makes its key a lock.
_OF_LEDGER = b"_yoyo_"

# How often a run may find that somebody else recorded a migration, and then find it pending again.
_MOST_CONFLICTS = 20

# The hooks of `migrate`.
_AROUND_APPLYING = (BEFORE_ALL, BEFORE_EACH, AFTER_EACH, AFTER_ALL)

# What the ledger's statements fail with when the ledger is not as planned: the row is there already,
# a predecessor is not, the set differs (see ledger_delete.sql), or the tables are gone.
_OUT_OF_DATE = frozenset({"23505", "23502", "22012", "42P01", "3F000"})


def status(
    database: Database, migrations: Migrations, *, lock_timeout_ms: int | None = None, with_grants: bool = False
) -> Status:
    """Compare files and ledger.  Writes nothing, and needs no more than SELECT on the ledger.

    ``with_grants``: say as well who else than its owner may write to the ledger.
    Raise `CannotRead` when the ledger is there and may not be read, `DatabaseError` with sqlstate
    55P03 when it is locked for ``lock_timeout_ms`` (None: three seconds), `Refused` where the folders hold no
    migration or there is no such schema.
    """
    if migrations.directories:
        migrations.refuse_empty()
    patience_ms = _READ_TIMEOUT_MS if lock_timeout_ms is None else lock_timeout_ms
    with _Run.on(database, settings={**PATIENT, **_reading(patience_ms)}) as run:
        found = run.status(migrations, patience_ms)
        return replace(found, grants=read_grants(run.pipeline, run.ledger)) if with_grants else found


def _reading(lock_timeout_ms: int) -> dict[str, str]:
    return {
        **WATCHED,
        "lock_timeout": str(lock_timeout_ms),  # the catalogs may be locked as well
        "row_security": "off",  # a row that is hidden would be called pending
    }


def plan(
    database: Database,
    migrations: Migrations,
    *,
    to: str | None = None,
    allow: Collection[Allow] = (),
    together: bool = False,
    create_schema: bool = False,
) -> Plan:
    """Say what `migrate` would do with the same arguments, and what would stop it.  Writes nothing.

    Raise `BadMigrationFile` for a file that `migrate` would refuse, `Refused` where there is no migration at all or
    no such schema.
    """
    migrations.refuse_empty()
    with _Run.on(database, settings=_reading(_READ_TIMEOUT_MS)) as run:
        run.creates_schema = create_schema
        found = run.status(migrations, _READ_TIMEOUT_MS)
        planned = plan_migrations(found, migrations, to, allow, together=together)
        planned = run.unless_run_elsewhere(planned, migrations)
        if planned.pending:
            refuse_elsewhere(planned.status)
            run.refuse_flaws()
        scripts = Scripts([m.with_any_values() for m in planned.files], load_script)
        run.validate(scripts, run.check_ready)
        if len(planned) or run.is_due:
            run.read_hooks(migrations.changed(Migration.with_any_values), _AROUND_APPLYING, load_script)
        return replace(planned, wrapped=tuple(scripts.wrapped), hooks=run.hooks_of(planned))


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
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
) -> Result:
    """Apply every pending migration, or those up to and including ``to``; then the repeatable files that changed.

    Each commits together with its record; any number of runs at once do the work once; a killed run
    is finished by the next one.  ``notify`` is told of a migration only once its commit is on disk.
    The repeatable files are applied in one transaction, once no migration is pending; with ``drop_deleted`` what
    those made that are deleted is dropped.

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
    with _Run.on(database, locks=locks, notify=notify, stop=stop) as run:
        run.creates_schema = create_schema or database.replay is not None
        plan_from = functools.partial(plan_migrations, migrations=migrations, to=to, allow=allow, together=together)
        planned = plan_from(run.settled_status(migrations))
        refuse_elsewhere(planned.status)
        refuse(run.unless_run_elsewhere(planned, migrations))
        load = run.loader(load_script)
        scripts = Scripts(planned.files, load)
        run.validate(scripts, run.check_ready if database.replay is None else run.check_replayed)
        if len(planned) or run.is_due:
            run.read_hooks(migrations, _AROUND_APPLYING, load)
        run.begin("apply", len(planned), migrations.where)
        run.tell_of_tables_elsewhere(planned.pending)
        for attempt in range(_MOST_CONFLICTS):
            if run.follow(planned.status.followed, migrations):
                break
            if attempt + 1 == _MOST_CONFLICTS:
                raise _keeps_no_record(run, planned.status.followed[0].id)
            planned = plan_from(run.status(migrations))
            refuse(planned)
            run.expect(len(planned))
        again = functools.partial(run.apply_repeatables, migrations, scripts, drop_deleted=drop_deleted)
        run.widens = run.has_views_of_all and bool(planned.pending)
        run.repeats = drop_deleted or bool(planned.repeatables) or run.widens
        run.migrate(
            planned, scripts, migrations, plan_from, together=again if together and database.replay is None else None
        )
        if drop_deleted or run.is_to_repeat(planned):
            run.repeat(migrations, scripts, drop_deleted=drop_deleted)
        run.after_all()
        return run.result("apply", began)


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
    with _Run.on(database, locks=locks, notify=notify, stop=stop) as run:
        found = run.status(migrations)
        refuse_elsewhere(found)
        if only is not None and (id_ := repeatable_id(only)):
            run.begin("rollback", 1, migrations.where)
            run.roll_back_file(id_, migrations)
            return run.result("rollback", began)
        targets = rollback_targets(found, migrations, count, to, only)
        recorded = read_values(run.pipeline, run.ledger)
        targets = tuple(with_recorded(m, recorded) for m in targets)
        if together:
            refuse_apart(targets)
        scripts = Scripts(targets, run.loader(load_rollback_or_refuse))
        run.validate(scripts, lambda m, script: run.check_text(script))
        if targets:
            run.read_hooks(migrations, (AFTER_ROLLBACK,), run.loader(load_script))
        run.begin("rollback", len(targets), migrations.where)
        if targets and not run.follow(found.followed, migrations):
            raise _changed_before(targets[0])
        (run.roll_back_together if together else run.roll_back)(targets, scripts)
        return run.result("rollback", began)


def repeatable_texts(database: Database) -> tuple[Text, ...]:
    """The text of each repeatable file that stands, as the ledger has it."""
    with _Run.on(database, settings={**PATIENT, **_reading(_READ_TIMEOUT_MS)}) as run:
        return tuple(of_one[-1] for of_one in read_texts(run.pipeline, run.ledger).values())


def with_recorded_values(database: Database, migrations: Migrations) -> Migrations:
    """The migrations with the values of variables that the ledger records, before those that are given now.

    So a replay makes what was made here.  Reads nothing where no file has variables.
    """
    if not any(m.variables for m in (*migrations, *migrations.beside)):
        return migrations
    with _Run.on(database, settings={**PATIENT, **_reading(_READ_TIMEOUT_MS)}) as run:
        return all_with_recorded(migrations, read_values(run.pipeline, run.ledger))


def _keeps_no_record(run: Session, migration_id: str, said: str = "") -> DatabaseError:
    return DatabaseError(
        f"the ledger in schema {run.ledger.schema} neither takes nor shows a record of {migration_id}"
        f"{said and f': {said}'}",
        hint="may this role see all of its rows? look at the columns, policies and triggers of _yoyo_migration",
    )


def _changed_before(m: Migration) -> Refused:
    return Refused(
        f"the ledger changed while {m.id} was about to be rolled back",
        hint="somebody else is migrating this database; look at wflo-schema status and run it again",
    )


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
    with _Run.on(database, locks=locks) as run:
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


# Applies repeatable files, and returns what records them, in the transaction that is open; None where none changed.
_Repeat = Callable[[], "tuple[Repeating, list[Command]] | None"]

# Where a migration fails whose statements have all been run.
_AT_ITS_END = "at its end (a deferred constraint or trigger)"


class _Transaction(NamedTuple):
    """A migration as it is sent: what begins it and changes the ledger, settings, statements, the end.

    Its commands are made while they are sent: a file may have a million.  ``seal``: what comes right before COMMIT,
    as `Session.seal` says; where it ``is_flushed``, what puts it on disk comes behind COMMIT.  ``is_followed``: the
    session is cleared by what is sent behind it; else at once.
    """

    migration: Migration
    script: Script
    opening: tuple[Command, ...]
    lasting: tuple[Command, ...]
    """Settings of the session that the next one may find: of a file that changes nothing but tables."""
    record: tuple[Command, ...]
    """First asks whether a non-transactional run is at work, then changes the ledger."""
    settings: tuple[Command, ...]
    command: Callable[[Statement], Command]
    parts: tuple[Part, ...]
    """The file's statements, and those of the hooks around them."""
    seal: tuple[Command, ...]
    after: tuple[Command, ...]
    is_flushed: bool = True
    is_followed: bool = False
    is_ourselves: bool = False
    """It is sealed as the role that the run began as."""
    is_around: bool = False
    """What repeatable files made is taken down for it, and put back behind it."""
    undoes: frozenset[str] = frozenset()
    """The hashes of the migration that it rolls back: that of its id, and of those it had, or replaces."""
    is_continued: bool = False
    """The session is as the one before has left it, and has the lasting settings."""
    closing: tuple[Command, ...] = (COMMIT,)
    """What ends it; where it is one of several in a transaction, what makes way for the next."""

    def continues(self, one: _Transaction) -> bool:
        """Does it find the session behind another one as it needs it?"""
        return bool(self.lasting) and self.lasting == one.lasting

    @property
    def names_ledger(self) -> bool:
        """Does the file or a hook name the ledger's tables?"""
        return _names_ledger(self.parts)

    @property
    def share_index(self) -> int:
        """Where it asks whether a non-transactional run is at work."""
        return len(self.opening) + (0 if self.is_continued else len(self.lasting))

    @property
    def ledger_index(self) -> int:
        return self.share_index + len(self.record) - 1

    @property
    def before(self) -> tuple[Command, ...]:
        """What comes before the statements."""
        return (*self.opening, *(() if self.is_continued else self.lasting), *self.record, *self.settings)

    def commands(self) -> Iterator[Command]:
        """All of them, in order."""
        yield from self.before
        for part in self.parts:
            yield from (one for _, one in part.commands(self.command))
        yield from self.seal
        yield from self.closing
        yield from self.after

    def statements(self) -> Iterator[tuple[Part, int | None, Command]]:
        """The commands of its parts, each with its part and the statement that it is or comes behind."""
        for part in self.parts:
            yield from ((part, number, one) for number, one in part.commands(self.command))

    def sent(self) -> Iterator[Command]:
        """The commands, and what clears the session where nothing behind them does."""
        yield from self.commands()
        if not self.is_followed:
            yield DISCARD

    @property
    def seal_index(self) -> int:
        """Of the first command behind the statements."""
        return len(self.before) + sum(part.size for part in self.parts)

    @property
    def commit_index(self) -> int:
        return self.seal_index + len(self.seal)

    def at(self, index: int) -> tuple[Part, int | None]:
        """The part that a command belongs to, given by its index, and the statement of it, from 0, if it is one."""
        index -= len(self.before)
        for part in self.parts:
            if index < part.size:
                return part, part.number(index)
            index -= part.size
        return next(part for part in self.parts if not part.hook), None


def _names_ledger(parts: Sequence[Part]) -> bool:
    return any(_OF_LEDGER in part.script.source for part in parts)


class _Run(Session):
    """A session that migrates and rolls back."""

    _ahead: _Transaction | None = None
    """What was sent behind the current one."""
    _recorded: frozenset[str] = frozenset()
    """Hashes of the ledger's rows when the plan was made."""
    _half_way: frozenset[str] = frozenset()
    """Hashes of what was interrupted half-way."""
    _is_plain: bool = False
    """So far nothing is there that could run when a table is made: no trigger of the ledger, no event trigger."""
    _texts: Mapping[str, Sequence[Text]] = {}
    """What the ledger knows of repeatable files."""
    _files: Migrations = Migrations((), ())
    """Those of today, to make again what a migration takes down."""
    _last_hash = ""
    """Of the last migration that is applied."""
    _has_taken_down = False
    """A migration has taken down what repeatable files made, and it could not be made again yet."""
    _put_back: tuple[str, Repeating] | None = None
    """A migration, and what was made again behind it, in its transaction."""
    _elsewhere: tuple[str, ...] = ()
    """What other schemas hold where nothing is recorded, and no schema was named."""
    creates_schema = False
    repeats = False
    """Repeatable files are to be applied behind the migrations."""
    widens = False
    """Views of ``*`` are to be looked at: the migrations may give their tables other columns."""
    has_views_of_all = False
    is_due = False
    """The hook after all is to be run since an earlier run, which was killed, or in which it failed."""
    _hook_files: Migrations | None = None
    _is_begun = False
    """The hook before all was run, where there is one."""

    @property
    def sent_behind(self) -> str | None:
        return self._ahead.migration.id if self._ahead is not None else None

    def check_ready(self, m: Migration, script: Script) -> None:
        """Raise `BadMigrationFile` for what is wrong with a migration that is to be applied, or with its rollback."""
        from wflo_schema.files.faults import refuse_unready

        refuse_unready(m, script, self.check_text)

    def check_replayed(self, m: Migration, script: Script) -> None:
        """Take a file as it is, unless nothing is written in it: such a one is applied nowhere."""
        from wflo_schema.files.faults import refuse_unwritten

        refuse_unwritten(script)

    def status(self, migrations: Migrations, lock_timeout_ms: int | None = None) -> Status:
        """Compare files and ledger.  Raise `Refused` where there is no such schema."""
        if self.database.ledger_place is not None and not self.ledger.has_schema and not self.creates_schema:
            raise missing_schema(self.database, of_ledger=self.database.ledger_schema is not None)
        if self.ledger.lacks and not self.creates_schema:
            raise missing_schema(self.database)
        files = (*migrations, *migrations.beside)
        self.pipeline.keep_secret(m.given[name] for m in files for name in m.secrets if name in m.given)
        recorded, progress = self.read(lock_timeout_ms)
        self._recorded = frozenset(r.hash for r in recorded)
        self._half_way = frozenset(p.hash for p in progress)
        self.is_due = any(p.operation == DUE for p in progress)
        found = compare(self.database.label, self.ledger, migrations, recorded, progress)
        found = replace(found, is_ledger_apart=self.database.ledger_apart is not None)
        self._files, self._texts = migrations, read_texts(self.pipeline, self.ledger)
        last = [m.hash for m in migrations if m.hash in self._recorded]
        self._last_hash = last[-1] if last else ""
        self._has_taken_down = any(of_one[-1].is_down for of_one in self._texts.values())
        self.has_repeated = bool(self._texts)
        self.has_views_of_all = any("*" in of_one[-1].content for of_one in self._texts.values())
        if self._texts or migrations.repeatables:
            there = existing(self.pipeline, self._texts)
            found = replace(found, repeatables=compare_repeatables(migrations.repeatables, self._texts, there))
        is_prepared = self.database.replay is not None and self.database.replay.is_new
        if not recorded and not progress and not is_prepared:
            found = self._first_run(found, migrations)
        if any(e.state in (State.APPLIED, State.CHANGED) for e in found.entries):
            return found  # it is the ledger that is meant
        return replace(found, elsewhere=self.recorded_elsewhere({m.hash for m in migrations}))

    def settled_status(self, migrations: Migrations) -> Status:
        """The status, once no other run is amid a file that this one could not go on with."""
        tries = self.tries()
        keys = self.ledger.lock_keys
        ask = Command(
            "SELECT pg_catalog.pg_try_advisory_xact_lock_shared($1::integer, $2::integer)", keys, keeps_rows=True
        )
        while (found := self.status(migrations)).half_done:
            if self.must([ask]).rows[-1][0][0] == "t":
                return self.status(migrations)  # whoever was at it may have finished in between
            self.wait_for_colleague(None, tries)
        return found

    def validate(self, scripts: Scripts, check: Callable[[Migration, Script], None]) -> None:
        """Read every file before anything runs."""
        with self.stop.raising():
            scripts.validate(self.stay_awake, check)

    def read_hooks(self, migrations: Migrations, names: Sequence[str], load: Callable[[Migration], Script]) -> None:
        """Read and check the hooks of these names, all before anything runs; one without a statement is none."""
        found = {name: hook for name in names if (hook := migrations.hook(name)) is not None}
        if not found:
            return
        scripts = Scripts(tuple(found.values()), load)
        self.validate(scripts, self.check_ready if self.database.replay is None else self.check_replayed)
        taken = {name: self._take(scripts, hook) for name, hook in found.items()}
        self.hooks = {name: script for name, script in taken.items() if script.statements}
        self._hook_files = migrations

    def hooks_of(self, planned: Plan) -> tuple[str, ...]:
        """Ids of the hooks that are run where this is applied."""
        wanted = {BEFORE_ALL, AFTER_ALL} if len(planned) else {AFTER_ALL} if self.is_due else set()
        wanted |= {BEFORE_EACH, AFTER_EACH} if planned.pending else set()
        return tuple(f"{HOOKS}/{name}" for name in self.hooks if name in wanted)

    def _take(self, scripts: Scripts, m: Migration) -> Script:
        """The statements of one; a stop does not wait until a long file is read."""
        with self.stop.raising():
            return scripts.take(m)

    def _first_run(self, found: Status, migrations: Migrations) -> Status:
        """The same, with what the database holds already, and which ledger may have recorded that."""
        from wflo_schema.engine.first_run import find_unrecorded

        unrecorded = find_unrecorded(self.pipeline, self.ledger, self.database.schema)
        self._elsewhere = unrecorded.elsewhere
        here = unrecorded.here
        if here and self.is_chosen:
            here += tuple(
                f"the ledger of schema {other} records these migrations (is it meant? --ledger-schema {other})"
                for other in self.read_elsewhere({m.hash for m in migrations})[:1]
            )
        return replace(found, unrecorded=here)

    def unless_run_elsewhere(self, planned: Plan, migrations: Migrations) -> Plan:
        """The plan, refused where another tool, from which the database was taken over, has run what is pending."""
        if not planned.pending or NAMES_FILE not in migrations.others or self.database.replay is not None:
            return planned
        from wflo_schema.engine.taken_over import run_elsewhere, tables_place

        place = tables_place(self.database, planned.status)
        told = run_elsewhere(self.pipeline, self.ledger, place, migrations, planned.status)
        return replace(planned, refusals=(*planned.refusals, *((None, what, how) for what, how in told)))

    def tell_of_tables_elsewhere(self, pending: Sequence[Migration]) -> None:
        """Other schemas hold tables that nothing recorded: was one of them meant?"""
        for said in self._elsewhere if pending else ():
            self.notify(Notice("", "WARNING", f"{said}: if you mean these, name the schema with --schema"))

    # long: what is done with each migration, and with a plan that is out of date
    def migrate(
        self,
        planned: Plan,
        scripts: Scripts,
        migrations: Migrations,
        plan_from: Callable[[Status], Plan],
        *,
        together: _Repeat | None,
    ) -> None:
        """Apply what is planned; ``together``: in one transaction, with what repeats behind it."""
        queue = deque(planned.pending)
        recorded = set(planned.status.recorded)
        order = {m.id: n for n, m in enumerate(migrations)}
        in_order = list(migrations)
        conflicts: Counter[str] = Counter()
        if queue and not self.ledger.is_complete:
            self._make_ledger()
        self._make_values(queue)
        if queue:
            self._begin_hooks()
        self._is_plain = not (self.ledger.has_triggers or self.ledger.has_event_triggers)
        while queue:
            m = queue[0]
            self.queue = queue
            if self._ahead is None:
                self.check_stop()
            predecessors = self._predecessors(m, in_order, order[m.id], recorded)
            try:
                self._before_all()
                if together is not None:
                    parts = functools.partial(self._pending, tuple(queue), scripts, in_order, order, recorded)
                    self._apply_as_one(tuple(queue), parts, together)
                    break
                if m.is_transactional:
                    one, is_sent = self._ahead, self._ahead is not None
                    if one is None:
                        behind = queue[1] if len(queue) > 1 else None
                        one = self._as_transaction(m, self._take(scripts, m), predecessors, behind=behind)

                    following = functools.partial(self._following, queue, scripts, in_order, order, recorded)
                    if one.is_around:
                        is_flushed = self._transaction(one)
                        self.finished(m, "apply", len(one.script.statements), is_flushed=is_flushed)
                    else:
                        self._apply(one, following, is_sent=is_sent)
                    if one.names_ledger and len(queue) > 1:
                        self._look_at_ledger()
                else:
                    self._is_plain = False
                    self._step_by_step(m, self._take(scripts, m), "apply", predecessors)
                recorded.add(m.id)
                self._last_hash = m.hash
                queue.popleft()
            except Conflict as conflict:
                conflicts[m.id] += 1
                if conflicts[m.id] > _MOST_CONFLICTS:
                    raise _keeps_no_record(self, m.id, str(conflict)) from None
                self.current = None
                self._look_at_ledger()
                again = plan_from(self.status(migrations))
                refuse(again)
                recorded = set(again.status.recorded)
                queue = deque(again.pending)
                self._make_values(queue)
                self.expect(len(again))
        self.queue = deque()
        self.flush()

    def _apply_as_one(
        self, targets: Sequence[Migration], parts: Callable[[], Iterator[_Transaction]], repeat: _Repeat
    ) -> None:
        """Apply these, and the repeatable files behind them where nothing stays pending, in one transaction."""
        seal = seal_all_command(self.ledger, targets, is_last=True)
        if self.repeats and TABLE not in self.ledger.own:
            self.ledger = create_own(self.pipeline, self.ledger, "repeatable_create")
            self.settle()  # an event trigger may have changed a setting
        self._last_hash = targets[-1].hash
        self._as_one(targets, "apply", parts, seal, repeat)

    def _begin_hooks(self) -> None:
        """Get ready to say which hooks are due and which were run, where there are such."""
        hooks = [self._hook(name) for name in self.hooks]
        self._make_values(hooks)
        self.due = tuple(command for hook in hooks for command in record_commands(self.ledger, hook))
        if self.hooks.keys().isdisjoint((BEFORE_ALL, AFTER_ALL)):
            return
        if not (self.ledger.has_progress and self.ledger.has_log_rows):
            self.ledger = create_progress(self.pipeline, self.ledger)
            self.settle()  # an event trigger may have changed a setting
        if AFTER_ALL in self.hooks:
            self.due += (due_command(self.ledger, self._hook(AFTER_ALL)),)

    def _hook(self, name: str) -> Migration:
        found = self._hook_files.hook(name) if self._hook_files is not None else None
        assert found is not None
        return found

    def _before_all(self) -> None:
        """Run the hook before all, once a run, where something is to be applied."""
        if BEFORE_ALL in self.hooks and not self._is_begun:
            ran = ran_command(self.ledger, self._hook(BEFORE_ALL))
            self._run_hook(BEFORE_ALL, ran, then="no migration was begun")
            self._is_plain = False  # what it has made may run from now on
            if _OF_LEDGER in self.hooks[BEFORE_ALL].source:
                self._look_at_ledger()
        self._is_begun = True

    def after_all(self) -> None:
        """Run the hook after all, where this run or an earlier one has applied something, and nobody ran it since."""
        if AFTER_ALL not in self.hooks or not (self.has_done or self.is_due):
            return
        self.require_primary()
        self.refuse_flaws()
        self.check_stop()
        due = due_removal_command(self.ledger, self._hook(AFTER_ALL))
        try:
            self._run_hook(AFTER_ALL, due, then="the migrations stay; when it is mended, wflo-schema migrate runs it")
        except Conflict:  # another run has run it, behind what this one has applied
            self.current = None

    def _run_hook(self, name: str, *record: Command, then: str) -> None:
        """Run a hook in a transaction of its own, while no other run is at work."""
        hook, script = self._hook(name), self.hooks[name]
        commands = (*hook_commands(self.ledger), *record)
        seal = (SETTLE, *self.look_outside, *self.as_ourselves(), hook_seal_command(self.ledger))
        parts = (self.part(hook, script),)
        one = self._made_of(hook, parts, commands, self.settings(hook), seal=seal)
        try:
            self._transaction(one._replace(is_ourselves=True))
        except MigrationFailed as failed:
            hint = failed.hint.replace(f"; {NOTHING_KEPT}", "")
            failed.hint = f"{hint}\nnothing of the hook was kept; {then}"
            raise
        self.ran(hook, len(script.statements))

    def is_to_repeat(self, planned: Plan) -> bool:
        """Are repeatable files to be applied, those that a migration took away included?"""
        return bool(planned.repeatables) or self._has_taken_down or self.widens

    def repeat(self, migrations: Migrations, scripts: Scripts, *, drop_deleted: bool) -> None:
        """Apply the repeatable files that changed, in one transaction with their records.

        Raise `MigrationFailed` for one that PostgreSQL refuses, `Refused` where two make the same thing.
        """
        self._begin_repeating(migrations)
        self._begin_hooks()
        self._before_all()
        done = self._in_one(lambda: self.apply_repeatables(migrations, scripts, drop_deleted=drop_deleted))
        if done is None:
            return
        repeating, is_flushed = done
        for one, _ in repeating.applied:
            self.start(one.migration)
            spent_ms = repeating.spent_ms(one.id)
            statements = len(one.script.statements)
            self.finished(one.migration, "apply", statements, is_flushed=is_flushed, duration_ms=spent_ms)
        self.queue = deque()
        self.flush()

    def finished(
        self, m: Migration, operation: str, statements: int, *, is_flushed: bool, duration_ms: float | None = None
    ) -> None:
        """The same; and tell what was taken down for it and is there again."""
        super().finished(m, operation, statements, is_flushed=is_flushed, duration_ms=duration_ms)
        if self._put_back is None or self._put_back[0] != m.id:
            return
        (_, repeating), self._put_back = self._put_back, None
        again = sorted(one.id for one, _ in repeating.applied if one.id not in repeating.anew)
        if again:
            self.notify(Notice(m.id, "PUT BACK", f"{listed(again)}, taken down for {m.id}"))
        for one, _ in repeating.applied:
            if one.id in repeating.anew and operation == "apply":
                self.start(one.migration)
                count, spent_ms = len(one.script.statements), repeating.spent_ms(one.id)
                super().finished(one.migration, "apply", count, is_flushed=is_flushed, duration_ms=spent_ms)

    def roll_back_file(self, id_: str, migrations: Migrations) -> None:
        """Put the text of a repeatable file back that it had before its last; drop what it made where it had none."""
        if id_ not in self._texts:
            known = f"wflo-schema status lists them: {listed(sorted(self._texts))}" if self._texts else ""
            raise Refused(f"{id_} is not applied", hint=known or "wflo-schema status shows what is applied")
        m = next((m for m in migrations.repeatables if m.id == id_), Migration(id_, f"{id_}.sql", ""))
        self._begin_repeating(migrations)
        self.start(m)
        done = self._in_one(lambda: self._put_former_back(only=id_))
        assert done is not None
        statements = sum(len(one.script.statements) for one, _ in done[0].applied if one.id == id_)
        self.start(m)
        self.finished(m, "rollback", statements, is_flushed=done[1])
        self.flush()

    def _put_former_back(self, undone: Collection[str] = (), *, only: str = "") -> tuple[Repeating, list[Command]]:
        """The texts before those that were applied after these migrations, or before the last of one file."""
        texts = read_texts(self.pipeline, self.ledger)
        repeating = self._repeating(texts, self._files, self.loader(load_script), self._last_hash)
        repeating.look_at_shapes()
        commands = repeating.go_back(undone, only=only)
        return repeating, [*commands, *repeating.finish()]

    def _begin_repeating(self, migrations: Migrations) -> None:
        """Make what the ledger lacks for repeatable files."""
        self.require_primary()
        self.refuse_flaws()
        if not self.ledger.is_complete:
            self._make_ledger()
        if TABLE not in self.ledger.own:
            self.ledger = create_own(self.pipeline, self.ledger, "repeatable_create")
        self._make_values(migrations.repeatables)

    def _in_one(self, work: _Repeat) -> tuple[Repeating, bool] | None:
        """Do this in a transaction of its own, and its records; try again while only locks are in its way.

        Say what was done, and whether it is known to be on disk; None where there was nothing to do.
        """
        from wflo_schema.engine.repeating import Hindered, Locked, NotApplied

        tries = self.tries()
        while True:
            tries.count += 1
            self.check_stop()
            opening = [BEGIN, *set_local({"lock_timeout": str(self.locks.of(None) or LOCK_TIMEOUT_MS)})]
            error = self.pipeline.exchange([*opening, lock_repeatables(self.ledger)]).error
            try:
                if error is None:
                    repeated = work()
                    if repeated is None:
                        self.settle(ROLLBACK)
                        return None
                    return repeated[0], self._end_repeating(*repeated)
            except Locked as locked:
                self.settle(ROLLBACK)
                self.pause_or_give_up(locked.m, locked.script, locked.error, locked.number, tries)
                continue
            except Hindered as hindered:
                error = hindered.error
            except NotApplied as refused:
                self.settle(ROLLBACK)
                raise refused.error(self) from None
            self.settle(ROLLBACK)
            if error.sqlstate not in RETRIED and error.sqlstate != "57014":
                raise self.ledger_error(error)
            self.pause_for_ledger(None, error, tries)

    def _end_repeating(self, repeating: Repeating, commands: Sequence[Command]) -> bool:
        """Record and commit it; say whether it is known to be on disk."""
        last = repeating.applied[-1][0] if repeating.applied else None
        ending = [SETTLE, *self.look_outside]
        before = [*ending, *self.as_ourselves(), *commands, COMMIT]
        error = self.pipeline.exchange([*before, *self.to_disk, DISCARD]).error
        if error is None:
            return True
        self.settle(ROLLBACK)
        if error.index < len(ending) and last is not None:
            raise self.failed(last.migration, last.script, error, None)
        if error.index < len(before):
            raise self.ledger_error(error)
        return False  # it is committed; a cancel request came late

    def apply_repeatables(
        self, migrations: Migrations, scripts: Scripts, *, drop_deleted: bool
    ) -> tuple[Repeating, list[Command]] | None:
        """Run those that changed, in the transaction that is open; return what records them, None where none did."""
        texts = read_texts(self.pipeline, self.ledger)
        entries = compare_repeatables(migrations.repeatables, texts, existing(self.pipeline, texts))
        states = {e.id: e.state for e in entries}
        wanted = [m for m in migrations.repeatables if states[m.id] is not RepeatableState.APPLIED]
        deleted = [i for i, state in states.items() if state is RepeatableState.DELETED and drop_deleted]
        if not wanted and not deleted and not self.widens:
            return None
        self.queue = deque(wanted)
        repeating = self._repeating(texts, migrations, lambda m: self._take(scripts, m), self._last_hash)
        repeating.look_at_shapes()
        if self.widens:
            other = repeating.with_other_columns()
            wanted += [m for m in migrations.repeatables if m.id in other and m not in wanted]
            if not wanted and not deleted:
                return None
        repeating.apply([repeating.files[m.id] for m in wanted])
        return repeating, [*repeating.drop_files(deleted), *repeating.finish(), *self.due]

    def _repeating(
        self,
        texts: Mapping[str, Sequence[Text]],
        migrations: Migrations,
        load: Callable[[Migration], Script],
        after: str,
    ) -> Repeating:
        from wflo_schema.engine.repeating import Files, Repeating

        files = Files(migrations.repeatables, load)
        return Repeating(self, texts, files=files, between=self._between, after=after)

    def _between(self, m: Migration) -> Sequence[Command]:
        """What begins a file in a transaction that others have begun."""
        return (Command("RESET ALL"), *self.as_ourselves(), *set_local(self.settings(m)))

    def _step_by_step(self, m: Migration, script: Script, operation: str, recorded: Collection[str]) -> None:
        from wflo_schema.engine.stepwise import Stepwise

        Stepwise(self, m, script, operation).run(recorded)
        if time.monotonic() - self.flushed_at >= _FLUSH_EVERY_S:
            self.flush()

    def _look_at_ledger(self) -> None:
        """See whether it is still one to trust: somebody, or a file, has changed it."""
        self.ledger = self.find_ledger()
        if not self.ledger.is_complete:
            self._make_ledger()
        self.read()
        self.refuse_flaws()

    def _make_ledger(self) -> None:
        tries = self.tries()
        while True:
            tries.count += 1
            try:
                lock_timeout_ms = self.locks.of(None)
                self.ledger = create_ledger(self.pipeline, self.ledger, lock_timeout_ms=lock_timeout_ms)
                break
            except DatabaseError as error:
                if error.sqlstate not in RETRIED or tries.left_s <= 0:
                    raise
                self.pause(None, error.message, tries)
        self.settle()

    def _make_values(self, migrations: Sequence[Migration]) -> None:
        """Make the table of variables, where one of these has some."""
        if needs_table(self.ledger, migrations):
            self.ledger = create_own(self.pipeline, self.ledger, "variable_create")
            self.settle()  # an event trigger may have changed a setting

    @staticmethod
    def _predecessors(m: Migration, in_order: Sequence[Migration], number: int, recorded: Collection[str]) -> list[str]:
        """Hashes that must still be recorded when this one is: the one before, and what it depends on."""
        needed = [i for i in m.depends if i in recorded]
        before = next((in_order[n].id for n in range(number - 1, -1, -1) if in_order[n].id in recorded), None)
        if before is not None and before not in needed:
            needed.append(before)
        return [migration_hash(i) for i in needed]

    def _following(
        self,
        queue: Sequence[Migration],
        scripts: Scripts,
        in_order: Sequence[Migration],
        order: Mapping[str, int],
        recorded: Collection[str],
    ) -> _Transaction | None:
        """The migration behind the first of the queue, if it can be sent behind it."""
        first, m = queue[0], queue[1]
        try:
            script = self._take(scripts, m)
        except WfloSchemaError:
            return None  # said when it is its turn, as is a stop
        if self._may_take_away(script):
            scripts.give_back(m, script)
            return None
        predecessors = [*self._predecessors(m, in_order, order[m.id], recorded), first.hash]
        return self._as_transaction(m, script, predecessors, behind=queue[2] if len(queue) > 2 else None)

    def _may_take_away(self, script: Script) -> bool:
        """May it drop what repeatable files made, without that anybody is told?"""
        return bool(self._texts) and b"CASCADE" in script.source.upper()

    def _as_transaction(
        self, m: Migration, script: Script, predecessors: Sequence[str], *, behind: Migration | None
    ) -> _Transaction:
        from wflo_schema.files.statements import runs_no_code

        is_flushed = behind is None or time.monotonic() - self.flushed_at >= _FLUSH_EVERY_S
        has_hooks = BEFORE_EACH in self.hooks or AFTER_EACH in self.hooks
        is_plain = self._is_plain and not has_hooks and runs_no_code(script)
        parts = (Part(script, {}),) if is_plain else self._parts(m, script, BEFORE_EACH, AFTER_EACH)
        self._is_plain = is_plain  # what a file has made may run from now on
        needed = list(dict.fromkeys(predecessors))
        record: Sequence[Command] = insert_commands(self.ledger, m, predecessors=needed, after=self.after)
        record = (*record, *record_commands(self.ledger, m))
        if m.hash in self._half_way:
            record = (*record, progress_delete_command(self.ledger, m))
        one = self._made_of(
            m,
            parts,
            (*record, *self.due),
            {**self.settings(m), **({"synchronous_commit": "off"} if is_plain else {})},
            is_flushed=is_flushed,
            seal=() if is_plain else self.seal(m, script, as_ourselves=has_hooks),
            is_plain=is_plain,
            is_followed=behind is not None
            and behind.is_transactional
            and self.is_direct
            and not _names_ledger(parts)
            and len(script.source) <= _LONGEST_AHEAD,
        )
        return one._replace(is_around=self._may_take_away(script))

    def _parts(self, m: Migration, script: Script, before: str, after: str) -> tuple[Part, ...]:
        """The file's statements, with those of the hooks before and after."""
        parts = [self.part(m, script)]
        if before in self.hooks:
            parts.insert(0, self.part(m, self.hooks[before], before))
        if after in self.hooks:
            parts.append(self.part(m, self.hooks[after], after, before=self.as_begun(m)))
        return tuple(parts)

    def _made_of(
        self,
        m: Migration,
        parts: tuple[Part, ...],
        record: Sequence[Command],
        settings: Mapping[str, str],
        *,
        seal: Sequence[Command],
        is_plain: bool = False,
        is_flushed: bool = True,
        is_followed: bool = False,
    ) -> _Transaction:
        """``record`` first asks whether a non-transactional run is at work, then changes the ledger.

        ``is_plain``: the file leaves the session as it is, so that it need not be cleared before another such file.
        """
        opening = [BEGIN]
        if not self.is_direct:  # DISCARD ALL has taken the name that we connected with
            opening.append(Command(f"SET LOCAL application_name = '{self.token}'"))
        for_ledger = str(self.locks.of(None) or LOCK_TIMEOUT_MS)
        lasting: list[Command] = []
        is_lasting = is_plain and self.is_direct and "pg_temp" not in self.ledger.path.lower()
        if is_lasting and settings["lock_timeout"] == for_ledger:
            lasting, settings = [Command(f"SET {name} = {value}") for name, value in settings.items()], {}
            record = [command._replace(is_kept=True) for command in record]
        else:
            opening += set_local({"lock_timeout": for_ledger})
            if settings["lock_timeout"] == for_ledger:
                settings = {name: value for name, value in settings.items() if name != "lock_timeout"}
        return _Transaction(
            m,
            next(part.script for part in parts if not part.hook),
            tuple(opening),
            tuple(lasting),
            tuple(record),
            (*set_local(settings), *((self.name_migration(m),) if len(parts) > 1 else ())),
            self.command,
            parts,
            tuple(seal),
            self.to_disk if is_flushed else (),
            is_flushed,
            is_followed,
        )

    def _apply(self, one: _Transaction, following: Callable[[], _Transaction | None], *, is_sent: bool) -> None:
        """Apply one migration; where nothing forbids it, send the next behind it before it is answered.

        What is sent behind cannot run if this one fails: PostgreSQL refuses everything in a failed
        transaction, BEGIN too, and where COMMIT itself failed, its ledger row misses its predecessor.
        Nor can it run in a session that was not cleared: DISCARD ALL comes first, and where it fails,
        PostgreSQL skips the rest.  Only between files that leave the session as it is there is no DISCARD ALL.
        """
        self.start(one.migration, one.script)
        if not is_sent:
            self.pipeline.send(one.sent())
        self._ahead = None
        if one.is_followed:
            if not self.stop.is_requested:
                self._ahead = following()
            if self._ahead is not None and self._ahead.continues(one):
                self._ahead = self._ahead._replace(is_continued=True)
                self.pipeline.send(self._ahead.sent())
            else:
                self.pipeline.send(itertools.chain((DISCARD,), self._ahead.sent() if self._ahead is not None else ()))
        if self.stop.is_requested:
            self.pipeline.cancel()  # the first cancel request may have hit the migration before
        outcome = self.pipeline.receive()
        if is_sent and not one.is_continued:
            outcome = _without_first(outcome)
        has_failed = outcome.error is not None and outcome.error.index <= one.commit_index
        is_clear = outcome.error is None
        is_flushed = one.is_flushed and is_clear
        if one.is_followed and (has_failed or self._ahead is None):
            behind = self.pipeline.receive()
            is_clear = behind.error is None
            if has_failed and self._ahead is not None:
                self._refuse_overtaken(one, self._ahead, behind if self._ahead.is_continued else _without_first(behind))
            self._ahead = None
        if has_failed:
            is_flushed = self._transaction(one, outcome)
        elif not is_clear:
            self.settle(ROLLBACK)  # it is committed; a cancel request came late
        self.finished(one.migration, "apply", len(one.script.statements), is_flushed=is_flushed)

    def _refuse_overtaken(self, one: _Transaction, ahead: _Transaction, behind: Exchange) -> None:
        """Raise `Conflict` where the one sent behind was applied: somebody else recorded the one that failed."""
        if behind.error is not None and behind.error.index <= ahead.commit_index:
            return
        self._ahead = None
        self.settle(ROLLBACK)
        self.start(ahead.migration)
        is_flushed = ahead.is_flushed and behind.error is None
        self.finished(ahead.migration, "apply", len(ahead.script.statements), is_flushed=is_flushed)
        raise Conflict

    def _transaction(self, one: _Transaction, outcome: Exchange | None = None) -> bool:
        """Send one transaction; try it again while only locks are in its way.  Is it known to be on disk?

        ``outcome`` is that of the first try, where it was made already.  Raise `Conflict` when the
        ledger is not as planned, else as `migrate` says.
        """
        m, script = one.migration, one.script
        tries = self.tries()
        while True:
            tries.count += 1
            if outcome is None:
                one = one._replace(is_continued=False)  # the session was cleared
                self.start(m, script)
                if one.is_around:
                    outcome = self._around(one)
                else:
                    outcome = self.pipeline.exchange(itertools.chain(one.commands(), (DISCARD,)))
            error = outcome.error
            outcome = None
            if error is None:
                return one.is_flushed
            self.settle(ROLLBACK)
            if error.sqlstate in DEPENDED_ON and self._texts and not one.is_around:
                one = one._replace(is_around=True)
                continue
            if error.index > one.commit_index:
                return False  # it is committed; a cancel request came late
            if self.stop.is_requested:
                raise self.stopped(self.taken_back(m))
            if error.index < 0:
                continue  # the session was not cleared before it: nothing of it was run
            one = self._again(one, error, tries)

    def _again(self, one: _Transaction, error: ServerError, tries: Tries, *, place: str = "") -> _Transaction:
        """What is tried again, once a moment has passed where only locks were in the way; raise for all else.

        ``error.index`` counts from the first command of ``one``; ``place`` is said of an error behind its statements.
        """
        m, script = one.migration, one.script
        if error.index == one.share_index and error.sqlstate == "22012":
            self.wait_for_colleague(m, tries)
            return one
        if error.index <= one.ledger_index:
            if error.sqlstate in _OUT_OF_DATE:
                raise Conflict(error.message)
            if error.sqlstate in RETRIED or error.sqlstate == "57014":
                self.pause_for_ledger(m, error, tries)
                return one
            raise self.ledger_error(error)
        part, number = one.at(error.index)
        if error.sqlstate in RETRIED:
            self.pause_or_give_up(m, part.script, error, number, tries)
            return one
        self._refuse_outside(one, error, part, number)
        if one.seal_index < error.index < one.commit_index:
            if error.sqlstate == "42501" and not one.is_ourselves:
                return one._replace(seal=tuple(self.seal(m, script, as_ourselves=True)), is_ourselves=True)
            raise self.unrecorded(m, script, error)
        if error.index == one.commit_index and error.sqlstate == "25006":
            raise self.written_at_commit(m, script, error)
        if number is None and error.index < one.seal_index:
            place = "before its first statement"
        raise self.failed(m, part.script, error, number, place=place if number is None else "", hook=part.hook)

    def _as_one(
        self,
        targets: Sequence[Migration],
        operation: str,
        parts: Callable[[], Iterator[_Transaction]],
        seal: Command,
        repeat: _Repeat | None = None,
    ) -> None:
        """Run them all in one transaction, of these parts; try it again while only locks are in its way.

        ``repeat`` applies repeatable files behind them, in the same transaction.
        Raise as `_transaction` does; nothing is kept then.
        """
        tries = self.tries()
        is_plain = self._is_plain
        around: set[str] = set()
        while True:
            tries.count += 1
            self._is_plain, self.queue = is_plain, deque(targets)
            course = Course(
                self, operation, len(targets), parts(), lambda one: one.is_around or one.migration.id in around
            )
            try:
                failed = self._run_as_one(course)
                if failed is None and course.broken is None:
                    if self._end_as_one(course, seal, repeat, tries):
                        return
                    continue
                self.settle(ROLLBACK)
                if self.stop.is_requested:
                    raise self.stopped("nothing was kept, as all of it is one transaction")
                if course.broken is not None:
                    raise course.broken
                assert failed is not None
                one, error = failed
                if error.sqlstate in DEPENDED_ON and self._texts and not (one.is_around or one.migration.id in around):
                    around.add(one.migration.id)
                    continue
                is_settled = error.index > one.seal_index
                place = "at its end, where the session is cleared" if is_settled else _AT_ITS_END
                self._again(one, error, tries, place=place)
            except MigrationFailed as said:
                raise of_several(said, len(targets), operation) from said.__cause__
            finally:
                self.under_way = 0

    def _run_as_one(self, course: Course[_Transaction]) -> tuple[_Transaction, ServerError] | None:
        """Run all parts in a transaction that is left open; return what failed, if anything did."""
        while True:
            outcome = course.run()
            if outcome.error is not None:
                return course.place(outcome.error)
            if course.apart is None:
                return None
            one = course.begin_apart()
            error = self._around(one).error
            if error is not None:
                return one, error
            course.end_apart()

    def _end_as_one(self, course: Course[_Transaction], seal: Command, repeat: _Repeat | None, tries: Tries) -> bool:
        """Apply what repeats, and commit all; say whether it is committed, or else to be tried again."""
        from wflo_schema.engine.repeating import Hindered, Locked, NotApplied

        repeated = None
        try:
            if repeat is not None and (self.repeats or self._has_taken_down):
                patience = set_local({"lock_timeout": str(self.locks.of(None) or LOCK_TIMEOUT_MS)})
                error = self.pipeline.exchange([RESET_SETTINGS, *patience, lock_repeatables(self.ledger)]).error
                if error is not None:
                    return self._not_ended(error, tries)
                repeated = repeat()
        except Locked as locked:
            self.settle(ROLLBACK)
            self.pause_or_give_up(locked.m, locked.script, locked.error, locked.number, tries)
            return False
        except Hindered as hindered:
            return self._not_ended(hindered.error, tries)
        except NotApplied as refused:
            self.settle(ROLLBACK)
            raise refused.error(self) from None
        repeating, commands = repeated or (None, [])
        last = course.last
        before = [RESET_SETTINGS, SETTLE, *self.look_outside, *self.as_ourselves(), *commands]
        self.check_stop()
        self.is_kept = None
        error = self.pipeline.exchange([*before, seal, COMMIT, *self.to_disk, DISCARD]).error
        if error is not None and error.index <= len(before) + 1:
            if error.index == 1 and repeating is not None and repeating.applied and error.sqlstate not in RETRIED:
                file = repeating.applied[-1][0]
                self.settle(ROLLBACK)
                raise self.failed(file.migration, file.script, error, None)
            if error.index < len(before) or error.sqlstate in RETRIED:
                return self._not_ended(error, tries)
            self.settle(ROLLBACK)
            tell = self.unrecorded if error.index == len(before) else self.written_at_commit
            raise tell(last.migration, last.script, error)
        if error is not None:
            self.settle(ROLLBACK)  # a cancel request came late
        self.finished_together(course.done, is_flushed=error is None)
        for file, _ in repeating.applied if repeating is not None else ():
            self.start(file.migration)
            spent_ms = repeating.spent_ms(file.id) if repeating is not None else None
            statements = len(file.script.statements)
            self.finished(file.migration, "apply", statements, is_flushed=error is None, duration_ms=spent_ms)
        return True

    def _not_ended(self, error: ServerError, tries: Tries) -> bool:
        """Let a moment pass where only locks were in the way of the end; else raise."""
        self.settle(ROLLBACK)
        if self.stop.is_requested:
            raise self.stopped("nothing was kept, as all of it is one transaction")
        if error.sqlstate not in RETRIED and error.sqlstate != "57014":
            raise self.ledger_error(error)
        self.pause_for_ledger(None, error, tries)
        return False

    def _joined(self, one: _Transaction, former: _Transaction | None, seal: Sequence[Command]) -> _Transaction:
        """The same as a part of a transaction that another one may have begun."""
        is_continued = former is not None and one.continues(former)
        opening = one.opening
        if former is not None:
            opening = (*((RESET_SETTINGS,) if former.lasting and not is_continued else ()), *opening[1:])
        return one._replace(
            opening=opening,
            seal=tuple(seal),
            closing=CLEAR if seal else (),
            after=(),
            is_ourselves=True,
            is_continued=is_continued,
        )

    def _pending(
        self,
        queue: Sequence[Migration],
        scripts: Scripts,
        in_order: Sequence[Migration],
        order: Mapping[str, int],
        recorded: Collection[str],
    ) -> Iterator[_Transaction]:
        """Of all that is pending, each with its record."""
        known, former = set(recorded), None
        for m in queue:
            needed = self._predecessors(m, in_order, order[m.id], known)
            one = self._as_transaction(m, self._take(scripts, m), needed, behind=None)
            record = seal_all_command(self.ledger, [m], is_last=False)
            seal = (SETTLE, *self.as_ourselves(), record) if one.seal else ()
            former = self._joined(one, former, seal)
            yield former
            known.add(m.id)

    def _around(self, one: _Transaction) -> Exchange:
        """Send a transaction step by step, and take down what keeps a statement from running; put it back at the end.

        The outcome is that of `_Transaction.commands`.
        """
        from wflo_schema.engine.repeating import Hindered, Locked, NotApplied, Outside

        error = self.pipeline.exchange([*one.before, lock_repeatables(self.ledger)]).error
        if error is not None:
            return Exchange((), replace(error, index=min(error.index, one.ledger_index)))
        texts = read_texts(self.pipeline, self.ledger)
        repeating = self._repeating(texts, self._files, self.loader(load_script), one.migration.hash)
        repeating.look_at_shapes()
        if b"CASCADE" in one.script.source.upper():
            repeating.remember_all()
        savepoint, back, release = (
            Command(f"{what} wflo_schema_statement")
            for what in ("SAVEPOINT", "ROLLBACK TO SAVEPOINT", "RELEASE SAVEPOINT")
        )
        index = len(one.before) - 1
        try:
            for part, number, command in one.statements():
                index += 1
                while (error := self.pipeline.exchange([savepoint, command, release]).error) is not None:
                    if error.sqlstate in DEPENDED_ON and number is not None:
                        self.must([back, release])
                        if repeating.make_room(part.script.statements[number], error):
                            continue
                    return Exchange((), replace(error, index=index))
            repeating.look_for_lost()
            gone = repeating.go_back(one.undoes) if one.undoes else []
            repeating.put_back(must=bool(one.undoes) or len(self.queue) <= 1)
            ending = [*self.as_ourselves(), *gone, *repeating.finish()]
        except Hindered as hindered:
            return Exchange((), replace(hindered.error, index=index))
        except Outside:
            assert error is not None
            return Exchange((), replace(error, index=index))
        except Locked as locked:
            return Exchange((), replace(locked.error, index=one.seal_index - 1))
        except NotApplied as refused:
            self.settle(ROLLBACK)
            raise refused.error(self, behind=one.migration.id) from None
        self._has_taken_down = bool(repeating.down)
        is_end = COMMIT in one.closing
        error = self.pipeline.exchange(
            [*ending, *one.seal, *one.closing, *one.after, *((DISCARD,) if is_end else ())]
        ).error
        if error is None or error.index - len(ending) + one.seal_index > one.commit_index:
            self._put_back = (one.migration.id, repeating)
        if error is None:
            return Exchange(())
        return Exchange((), replace(error, index=max(error.index - len(ending), 0) + one.seal_index))

    def _refuse_outside(self, one: _Transaction, error: ServerError, part: Part, number: int | None) -> None:
        """Raise `Refused` where a replay changed something outside its database; run it once more to see by what."""
        found = self.confinement.refusal(part.script, error, number) if self.confinement is not None else None
        if self.confinement is None or found is None:
            return
        if number is not None:
            raise found
        unlock = Command("SELECT pg_catalog.pg_advisory_unlock_all()")  # what a refusal has left
        commands: list[Command] = [unlock, *one.before]
        places: list[tuple[Part, int | None]] = [(part, None)] * len(commands)
        for each in one.parts:
            for number, command in each.commands(one.command):
                run = [command, SETTLE, *self.look_outside] if number is not None else [command]
                commands += run
                places += [(each, number)] * len(run)
        again = self.pipeline.exchange([*commands, ROLLBACK]).error
        self.settle(ROLLBACK)
        at = places[again.index] if again is not None and again.index < len(places) else (part, None)
        raise self.confinement.refusal(at[0].script, again or error, at[1]) or found

    def _undoing(self, m: Migration, script: Script, recorded: Collection[str], *, look: bool = True) -> _Transaction:
        """A rollback file with the removal of its record, where the ledger has these."""
        record = [
            share_command(self.ledger),
            lock_command(self.ledger),
            delete_command(self.ledger, m, recorded=recorded),
            *forget_commands(self.ledger, m),
        ]
        if m.hash in self._half_way:
            record.append(progress_delete_command(self.ledger, m))
        removal = seal_removal_command(self.ledger, m, recorded=recorded)
        seal = (SETTLE, *(self.look_outside if look else ()), *self.as_ourselves(), removal)
        one = self._made_of(m, self._parts(m, script, "", AFTER_ROLLBACK), record, self.settings(m), seal=seal)
        undoes = _hashes_of(m) if self._texts else frozenset()
        return one._replace(is_ourselves=True, is_around=bool(undoes), undoes=undoes)

    def roll_back_together(self, targets: Sequence[Migration], scripts: Scripts) -> None:
        """Run these rollback files, and remove the records, in one transaction."""
        if not targets:
            return
        if not self.ledger.is_complete:
            self._make_ledger()

        def parts() -> Iterator[_Transaction]:
            left, former = set(self._recorded), None
            for m in targets:
                one = self._undoing(m, self._take(scripts, m), left)
                former = self._joined(one, former, one.seal[:-1])  # the removal of the next one looks at the ledger
                yield former
                left.discard(m.hash)

        self.check_stop()
        last = targets[-1]
        recorded = self._recorded.difference(m.hash for m in targets[:-1])
        try:
            self._as_one(targets, "rollback", parts, seal_removal_command(self.ledger, last, recorded=recorded))
        except Conflict:
            raise _changed_before(targets[0]) from None
        self.queue = deque()
        self.flush()

    def roll_back(self, targets: Sequence[Migration], scripts: Scripts) -> None:
        """Run the rollback files of these migrations, each with its record's removal in one transaction."""
        from wflo_schema.files.statements import only_drops

        expected = set(self._recorded)
        is_plain = not self.ledger.has_event_triggers
        if targets and not self.ledger.is_complete:
            self._make_ledger()
        for position, m in enumerate(targets):
            self.queue = deque(targets[position:])
            self.check_stop()
            script = self._take(scripts, m)
            is_plain = is_plain and AFTER_ROLLBACK not in self.hooks and only_drops(script)
            try:
                if m.is_transactional:
                    is_flushed = self._transaction(self._undoing(m, script, expected, look=not is_plain))
                    self.finished(m, "rollback", len(script.statements), is_flushed=is_flushed)
                else:
                    self._step_by_step(m, script, "rollback", expected)
                    undone = _hashes_of(m)
                    if any(of_one[-1].after in undone for of_one in self._texts.values()):
                        self._in_one(functools.partial(self._put_former_back, undone))
                expected.discard(m.hash)
            except Conflict:
                raise _changed_before(m) from None
        self.queue = deque()
        self.flush()

    def follow(self, followed: Sequence[Followed], migrations: Migrations) -> bool:
        """Record what was renamed or squashed by its new name, all in one transaction.

        Say False where the ledger is not as planned any more: somebody else did it, most likely.
        """
        chosen = [(f, m) for f in followed if (m := migrations.get(f.id)) is not None]
        if not chosen:
            return True
        self.require_primary()
        self.refuse_flaws()
        self.check_stop()
        if not self.ledger.is_complete:
            self._make_ledger()
        before = [BEGIN, *set_local({"lock_timeout": str(self.locks.of(None))}), share_command(self.ledger)]
        records = [follow_command(self.ledger, m, f.hashes, is_verified=f.is_verified) for f, m in chosen]
        seal = [SETTLE, *(seal_command(self.ledger, m) for f, m in chosen if f.is_verified)]
        tries = self.tries()
        while True:
            tries.count += 1
            error = self.pipeline.exchange([*before, *records, *seal, COMMIT, *self.to_disk, DISCARD]).error
            if error is None or error.index > len(before) + len(records) + len(seal):
                break
            self.settle(ROLLBACK)
            if error.index == len(before) - 1 and error.sqlstate == "22012":
                self.wait_for_colleague(chosen[0][1], tries)
            elif error.sqlstate in _OUT_OF_DATE:
                return False
            elif error.sqlstate in RETRIED or error.sqlstate == "57014":
                self.pause_for_ledger(None, error, tries)
            else:
                raise self.ledger_error(error)
        if error is not None:
            self.settle(ROLLBACK)  # it is committed; a cancel request came late
            self.pipeline.exchange(self.to_disk)
        for f, m in chosen:
            self._recorded |= {m.hash}
            self.notify(Notice(m.id, "RECORDED", f"{m.id}, in place of {listed(f.recorded_as)}"))
        return True

    def _get_ready_to_record(self, texts: Sequence[Text]) -> list[Migration]:
        """Make the table for texts of repeatable files, where there are any; return the files."""
        if texts and TABLE not in self.ledger.own:
            self.ledger = create_own(self.pipeline, self.ledger, "repeatable_create")
        ids = {text.id for text in texts}
        return [m for m in self._files.repeatables if m.id in ids]

    def mark(
        self,
        chosen: Sequence[Migration],
        *,
        recorded: Collection[str],
        repeatables: Sequence[Text],
        aside: Sequence[str],
        verify: Callable[[], None] | None,
    ) -> None:
        """Record migrations without running them, in one transaction."""
        if not chosen and not aside:
            return
        if not self.ledger.is_complete:
            self._make_ledger()
        repeated = self._get_ready_to_record(repeatables)
        self._make_values([*chosen, *repeated])
        ledger, tries = self.ledger, self.tries()
        while True:
            tries.count += 1
            if verify is not None:
                verify()
            commands = [
                BEGIN,
                *set_local({"lock_timeout": str(self.locks.of(None))}),
                *(
                    command
                    for m in chosen
                    for command in (
                        (checksum_command(ledger, m.id, m.checksum),)
                        if m.id in recorded
                        else insert_commands(ledger, m, predecessors=(), after=self.after, operation="mark")
                    )
                ),
                *(command for m in (*chosen, *repeated) for command in record_commands(ledger, m)),
                *(write_repeatable(ledger, text) for text in repeatables),
                *(progress_delete_command(ledger, m) for m in chosen if m.hash in self._half_way),
                *(checksum_command(ledger, i, None) for i in aside),
                SETTLE,
                *(seal_command(ledger, m) for m in chosen),
                COMMIT,
            ]
            outcome = self.pipeline.exchange([*commands, DISCARD])
            if outcome.error is None:
                break
            self.settle(ROLLBACK)
            if outcome.error.index >= len(commands):
                break  # it is committed; a cancel request came late
            if outcome.error.sqlstate in _OUT_OF_DATE:
                raise Refused(
                    "the ledger changed while the migrations were about to be recorded; nothing was recorded",
                    hint="somebody else is at work on this database; look at wflo-schema status and run it again",
                )
            if outcome.error.sqlstate not in RETRIED or tries.left_s <= 0:
                raise self.ledger_error(outcome.error)
            self.pause(None, outcome.error.message, tries)
        for m in chosen:
            self.start(m)
            self.finished(m, "mark", 0, is_flushed=False)
        self.flush()


def _hashes_of(m: Migration) -> frozenset[str]:
    """Under which it may have been recorded when a repeatable file was applied."""
    return frozenset({m.hash, *map(migration_hash, (*m.was, *m.replaces))})


def _without_first(outcome: Exchange) -> Exchange:
    """The outcome of all commands but the first, whose own failure gets the index -1."""
    error = outcome.error
    return Exchange(outcome.rows[1:], None if error is None else replace(error, index=error.index - 1))

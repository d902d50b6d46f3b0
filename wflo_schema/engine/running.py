"""One run: what is planned, in which order it is sent, what is done around and behind it."""

from __future__ import annotations

import functools
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from wflo_schema.connect.pipeline import COMMIT, DISCARD, ROLLBACK, Command, ServerError
from wflo_schema.connect.schemas import missing_schema
from wflo_schema.engine.events import Notice
from wflo_schema.engine.ledger import (
    DUE,
    Progress,
    Record,
    checksum_command,
    due_command,
    due_removal_command,
    follow_command,
    hook_commands,
    hook_seal_command,
    insert_commands,
    progress_delete_command,
    ran_command,
    seal_all_command,
    seal_command,
    seal_removal_command,
    share_command,
)
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS
from wflo_schema.engine.planning import (
    Followed,
    Plan,
    Scripts,
    State,
    Status,
    compare,
    refuse,
)
from wflo_schema.engine.remedies import NOTHING_KEPT, of_several
from wflo_schema.engine.repeatables import (
    RepeatableState,
    Text,
    compare_repeatables,
    existing,
    read_texts,
)
from wflo_schema.engine.repeatables import lock_command as lock_repeatables
from wflo_schema.engine.repeatables import write_command as write_repeatable
from wflo_schema.engine.sending import Sending
from wflo_schema.engine.session import RETRIED, SETTLE, Conflict, Session, Tries
from wflo_schema.engine.together import (
    CLEAR,
    CONSTRAINTS_RESET,
    HAS_IMMEDIATE,
    RESET_SETTINGS,
    Course,
    may_make_deferrable,
)
from wflo_schema.engine.transaction import Transaction, hashes_of
from wflo_schema.engine.values import Recorded, read_values, record_commands
from wflo_schema.errors import DatabaseError, MigrationFailed, Refused
from wflo_schema.files.folder import Migration, Migrations, load_script
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
    from wflo_schema.files.script import Script

# A file that names the ledger's tables may have taken away what makes its key a lock.
_OF_LEDGER = b"_yoyo_"

# How often a run may find that somebody else recorded a migration, and then find it pending again.
_MOST_CONFLICTS = 20

# What the ledger's statements fail with when the ledger is not as planned: the row is there already,
# a predecessor is not, the set differs (see ledger_delete.sql), or the tables are gone.
_OUT_OF_DATE = frozenset({"23505", "23502", "22012", "42P01", "3F000"})

# Applies repeatable files, and returns what records them, in the transaction that is open; None where none changed.
_Repeat = Callable[[], "tuple[Repeating, list[Command]] | None"]

# Where a migration fails whose statements have all been run.
_AT_ITS_END = "at its end (a deferred constraint or trigger)"


class Run(Sending):
    """A session that migrates and rolls back."""

    _elsewhere: tuple[str, ...] = ()
    """What other schemas hold where nothing is recorded, and no schema was named."""
    repeats = False
    """Repeatable files are to be applied behind the migrations."""
    widens = False
    """Views of ``*`` are to be looked at: the migrations may give their tables other columns."""
    _resets_constraints = False
    """There may be constraints that can be deferred and at first are not."""
    is_due = False
    """The hook after all is to be run since an earlier run, which was killed, or in which it failed."""
    _hook_files: Migrations | None = None
    _is_begun = False
    """The hook before all was run, where there is one."""

    @property
    def has_views_of_all(self) -> bool:
        """May a repeatable file that was applied make a view of ``*``?"""
        return any("*" in of_one[-1].content for of_one in self._texts.values())

    def expect_repeatables(self, planned: Plan, *, drop_deleted: bool) -> None:
        """Know, before the migrations, what is done with repeatable files around and behind them."""
        self.drops_deleted = drop_deleted
        self.widens = self.has_views_of_all and planned.is_last and bool(planned.pending)
        self.repeats = drop_deleted or bool(planned.repeatables) or self.widens

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
        is_empty = self._known is not None and self._known.is_empty
        recorded, progress = self.read(lock_timeout_ms)
        self._recorded = frozenset(r.hash for r in recorded)
        self._half_way = frozenset(p.hash for p in progress)
        self.is_due = any(p.operation == DUE for p in progress)
        found = self.compared(migrations, recorded, progress)
        if self.database.ledger_apart is not None:
            found = replace(found, is_ledger_apart=True)
        self._files, self._texts = migrations, self.read_texts(lock_timeout_ms)
        times = {r.hash: r.applied_at for r in recorded}
        self._last_hash = max(
            reversed([m.hash for m in migrations if m.hash in times]), key=times.__getitem__, default=""
        )
        self._has_taken_down = any(of_one[-1].is_down for of_one in self._texts.values())
        self.has_repeated = bool(self._texts)
        if self._texts or migrations.repeatables:
            there = existing(self.pipeline, self._texts)
            found = replace(found, repeatables=compare_repeatables(migrations.repeatables, self._texts, there))
        is_prepared = self.database.replay is not None and self.database.replay.is_new
        if not recorded and not progress and not is_prepared and not is_empty:
            found = self._first_run(found, migrations, lock_timeout_ms)
        if any(e.state in (State.APPLIED, State.CHANGED) for e in found.entries):
            return found  # it is the ledger that is meant
        return replace(found, elsewhere=self.recorded_elsewhere({m.hash for m in migrations}, lock_timeout_ms))

    def read_texts(self, lock_timeout_ms: int | None = None) -> dict[str, list[Text]]:
        """The texts of each repeatable file, the last of which stands.  Raise as `patiently` does."""
        return self.patiently(functools.partial(read_texts, self.pipeline, self.ledger), lock_timeout_ms)

    def read_values(self, lock_timeout_ms: int | None = None) -> Recorded:
        """The values of variables that are recorded.  Raise as `patiently` does."""
        return self.patiently(functools.partial(read_values, self.pipeline, self.ledger), lock_timeout_ms)

    def compared(self, migrations: Migrations, recorded: Sequence[Record], progress: Sequence[Progress]) -> Status:
        """Where every migration of the files and of the ledger stands."""
        return compare(self.label, self.ledger, migrations, recorded, progress)

    def planned(self, status: Status, plan_from: Callable[[Status], Plan]) -> Plan:
        """The plan that follows from a status."""
        return plan_from(status)

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

    def _first_run(self, found: Status, migrations: Migrations, lock_timeout_ms: int | None) -> Status:
        """The same, with what the database holds already, and which ledger may have recorded that."""
        from wflo_schema.engine.first_run import find_unrecorded

        unrecorded = self.patiently(
            lambda ms: find_unrecorded(self.pipeline, self.ledger, self.database.schema, ms), lock_timeout_ms
        )
        self._elsewhere = unrecorded.elsewhere
        here = unrecorded.here
        if here and self.is_chosen:
            here += tuple(
                f"the ledger of schema {other} records these migrations (is it meant? --ledger-schema {other})"
                for other in self.read_elsewhere({m.hash for m in migrations}, lock_timeout_ms)[:1]
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
        ledger = self.ledger
        self._is_plain = not (ledger.has_triggers or ledger.has_event_triggers or ledger.has_citus)
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
                    raise keeps_no_record(self, m.id, str(conflict)) from None
                self.current = None
                self._look_at_ledger()
                again = plan_from(self.settled_status(migrations))
                refuse(again)
                recorded = set(again.status.recorded)
                queue = deque(again.pending)
                self._make_values(queue)
                self.expect(len(again))
        self.queue = deque()
        self.flush()

    def _apply_as_one(
        self, targets: Sequence[Migration], parts: Callable[[], Iterator[Transaction]], repeat: _Repeat
    ) -> None:
        """Apply these, and the repeatable files behind them where nothing stays pending, in one transaction."""
        seal = seal_all_command(self.ledger, targets, is_last=True)
        if self.repeats:
            self._make_repeatables()
        self._last_hash = targets[-1].hash
        self._as_one(targets, "apply", parts, seal, repeat)

    def _begin_hooks(self) -> None:
        """Get ready to say which hooks are due and which were run, where there are such."""
        hooks = [self._hook(name) for name in self.hooks]
        self._make_values(hooks)
        self.due = tuple(command for hook in hooks for command in record_commands(self.ledger, hook))
        if self.hooks.keys().isdisjoint((BEFORE_ALL, AFTER_ALL)):
            return
        self.make_progress()
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

    def _as_hook(self, name: str, *record: Command) -> Transaction:
        """A hook as the transaction that it is."""
        hook, script = self._hook(name), self.hooks[name]
        commands = (*hook_commands(self.ledger), *record)
        seal = (SETTLE, *self.look_outside, *self.as_ourselves(), hook_seal_command(self.ledger))
        parts = (self.part(hook, script),)
        one = self._made_of(hook, parts, commands, self.settings(hook), seal=seal)
        return one._replace(is_ourselves=True)

    def _run_hook(self, name: str, *record: Command, then: str) -> None:
        """Run a hook in a transaction of its own, while no other run is at work."""
        hook, script = self._hook(name), self.hooks[name]
        try:
            self._transaction(self._as_hook(name, *record))
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
        self._tell_put_back(m.id, is_flushed=is_flushed)

    def _tell_put_back(self, migration_id: str, *, is_flushed: bool) -> None:
        """Tell which repeatable files were made again behind a migration, or first applied with it."""
        repeating = self._put_back.pop(migration_id, None)
        if repeating is None:
            return
        again = sorted(one.id for one, _ in repeating.applied if one.id not in repeating.anew)
        if again:
            self.notify(Notice(migration_id, "PUT BACK", f"{listed(again)}, taken down for {migration_id}"))
        for one, _ in repeating.applied:
            if one.id in repeating.anew and self._operation == "apply":
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
        self._make_repeatables()
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
            opening = self.start_ledger(self.locks.of(None) or LOCK_TIMEOUT_MS)
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
        self.dropped = tuple(deleted)
        if not wanted and not deleted and not self.widens:
            return None
        self.queue = deque(wanted)
        repeating = self._repeating(texts, migrations, lambda m: self._take(scripts, m), self._last_hash)
        repeating.look_at_shapes()
        repeating.going = frozenset(deleted)
        if self.widens:
            other = repeating.with_other_columns()
            wanted += [m for m in migrations.repeatables if m.id in other and m not in wanted]
            if not wanted and not deleted:
                return None
        self.block_wishes_ms += tuple(m.block_timeout_ms for m in wanted)
        repeating.apply([repeating.files[m.id] for m in wanted])
        return repeating, [*repeating.drop_files(deleted), *repeating.finish(), *self.due]

    def _as_one(
        self,
        targets: Sequence[Migration],
        operation: str,
        parts: Callable[[], Iterator[Transaction]],
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
            self._put_back.clear()
            self.block_wishes_ms = tuple(m.block_timeout_ms for m in targets)
            self._resets_constraints = self.must([HAS_IMMEDIATE]).rows[-1][0][0] == "t"
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
                one = one._replace(is_around=one.is_around or one.migration.id in around)
                if self._goes_around(one, error):
                    around.add(one.migration.id)
                    continue
                is_settled = error.index > one.seal_index
                place = "at its end, where the session is cleared" if is_settled else _AT_ITS_END
                self._again(one, error, tries, place=place)
            except MigrationFailed as said:
                raise of_several(said, len(targets), operation) from said.__cause__
            finally:
                self.under_way, self.block_wishes_ms = 0, ()

    def _run_as_one(self, course: Course[Transaction]) -> tuple[Transaction, ServerError] | None:
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

    def _end_as_one(self, course: Course[Transaction], seal: Command, repeat: _Repeat | None, tries: Tries) -> bool:
        """Apply what repeats, and commit all; say whether it is committed, or else to be tried again."""
        from wflo_schema.engine.repeating import Hindered, Locked, NotApplied

        repeated = None
        try:
            if repeat is not None and (self.repeats or self._has_taken_down):
                patience = self.set_local({"lock_timeout": str(self.locks.of(None) or LOCK_TIMEOUT_MS)})
                error = self.pipeline.exchange(
                    [RESET_SETTINGS, *self.named, *patience, lock_repeatables(self.ledger)]
                ).error
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
        before = [RESET_SETTINGS, *self.named, SETTLE, *self.look_outside, *self.as_ourselves(), *commands]
        self.check_stop()
        self.is_kept = None
        error = self.pipeline.exchange([*before, seal, COMMIT, *self.to_disk, DISCARD]).error
        if error is not None and error.index <= len(before) + 1:
            if (
                error.index == before.index(SETTLE)
                and repeating is not None
                and repeating.applied
                and error.sqlstate not in RETRIED
            ):
                file = repeating.applied[-1][0]
                self.settle(ROLLBACK)
                raise self.failed(file.migration, file.script, error, None)
            if error.keeps_waiting:
                self.settle(ROLLBACK)
                raise self.failed(last.migration, last.script, error, None)
            if error.index < len(before) or error.sqlstate in RETRIED:
                return self._not_ended(error, tries)
            self.settle(ROLLBACK)
            tell = self.unrecorded if error.index == len(before) else self.written_at_commit
            raise tell(last.migration, last.script, error)
        if error is not None:
            self.settle(ROLLBACK)  # a cancel request came late
        self.finished_together(course.done, is_flushed=error is None)
        for migration_id in tuple(self._put_back):
            self._tell_put_back(migration_id, is_flushed=error is None)
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

    def _joined(self, one: Transaction, former: Transaction | None, seal: Sequence[Command]) -> Transaction:
        """The same as a part of a transaction that another one may have begun."""
        is_continued = former is not None and one.continues(former)
        opening = one.opening
        if former is not None:
            opening = (*((RESET_SETTINGS,) if former.lasting and not is_continued else ()), *opening[1:])
        self._resets_constraints |= any(may_make_deferrable(part.script) for part in one.parts)
        clear = (*CLEAR, *((CONSTRAINTS_RESET,) if self._resets_constraints else ()))
        return one._replace(
            opening=opening,
            seal=tuple(seal),
            closing=clear if seal else (),
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
    ) -> Iterator[Transaction]:
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

    def roll_back_together(self, targets: Sequence[Migration], scripts: Scripts) -> None:
        """Run these rollback files, and remove the records, in one transaction."""
        if not targets:
            return
        if not self.ledger.is_complete:
            self._make_ledger()

        def parts() -> Iterator[Transaction]:
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
            raise changed_before(targets[0]) from None
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
                    undone = hashes_of(m)
                    if any(of_one[-1].after in undone for of_one in self._texts.values()):
                        self._in_one(functools.partial(self._put_former_back, undone))
                expected.discard(m.hash)
            except Conflict:
                raise changed_before(m) from None
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
        records = [follow_command(self.ledger, m, f.hashes, is_verified=f.is_verified) for f, m in chosen]
        seal = [SETTLE, *(seal_command(self.ledger, m) for f, m in chosen if f.is_verified)]
        tries = self.tries()
        while True:
            tries.count += 1
            before = [*self.start_ledger(), share_command(self.ledger)]
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
        if texts:
            self._make_repeatables()
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
                *self.start_ledger(),
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


def keeps_no_record(run: Session, migration_id: str, said: str = "") -> DatabaseError:
    """The error for a ledger that takes no record, or hides it."""
    return DatabaseError(
        f"the ledger in schema {run.ledger.schema} neither takes nor shows a record of {migration_id}"
        f"{said and f': {said}'}",
        hint="may this role see all of its rows? look at the columns, policies and triggers of _yoyo_migration",
    )


def changed_before(m: Migration) -> Refused:
    """The error for a ledger that is not as it was when the rollback was planned."""
    return Refused(
        f"the ledger changed while {m.id} was about to be rolled back",
        hint="somebody else is migrating this database; look at wflo-schema status and run it again",
    )

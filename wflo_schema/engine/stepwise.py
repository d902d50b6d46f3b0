"""Run a non-transactional file, statement by statement: its progress is recorded, and a later run goes on.

Hides what an interrupted statement may leave behind, and how a later run mends that.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

import psycopg

from wflo_schema.connect.database import database_error
from wflo_schema.connect.pipeline import (
    BEGIN,
    COMMIT,
    DISCARD,
    ROLLBACK,
    Aside,
    Command,
    Exchange,
    Row,
    ServerError,
    StoppedWaiting,
)
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.events import Notice
from wflo_schema.engine.ledger import (
    Progress,
    Record,
    Step,
    delete_command,
    done_checksums,
    forget_progress,
    insert_commands,
    last_applied,
    no_longer,
    progress_command,
    progress_delete_command,
    progress_of,
    seal_command,
    seal_removal_command,
    superseded_command,
)
from wflo_schema.engine.parts import Part
from wflo_schema.engine.session import LEDGER_GONE, RETRIED, SETTLE, Conflict, Session, Tries, failure
from wflo_schema.engine.values import forget_commands, record_commands
from wflo_schema.errors import ConnectionLost, DatabaseError, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration
from wflo_schema.files.listing import AFTER_EACH, AFTER_ROLLBACK, BEFORE_EACH, HOOKS
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.statements import (
    OURS,
    IndexBuild,
    detached,
    dropped_indexes,
    index_build,
    is_repeatable,
    leaves_with_session,
    reindexed,
    resets,
    runs_alone,
    sets_session,
    waits_harmlessly,
    whole,
)
from wflo_schema.words import counted, listed, shown

# Seconds that a pooler has for lending a session to a second connection, before and after it has answered the first.
_PROBE_S = 0.5

# What BEGIN says for a transaction, for statements that run outside of one.
_SESSION_SETTINGS = {"default_transaction_read_only": "off", "default_transaction_isolation": "read committed"}

# What recording the progress fails with where another run has begun, gone on, or holds the lock.
_TAKEN_OVER = frozenset({"23505", "22012"})

# Of what we write of our progress, unless on Citus: whatever a statement commits later brings to disk what was
# committed before it, and the last transaction of the run waits for the disk.  So after a crash both are as at one
# moment.
_SOON_ON_DISK = Command("SET LOCAL synchronous_commit = off")

# Takes the lock of non-transactional files, or fails with 22012.
_TAKE = Command("SELECT 1 / pg_catalog.pg_try_advisory_lock($1::integer, $2::integer)::integer")

# Around what may wait for ever, because nobody waits behind it: the file may have set a timeout of its own.
_NO_LOCK_TIMEOUT = Command(
    "SELECT pg_catalog.set_config('wflo_schema.lock_timeout', pg_catalog.current_setting('lock_timeout'), FALSE),"
    " pg_catalog.set_config('lock_timeout', '0', FALSE)"
)
_LOCK_TIMEOUT_AGAIN = Command(
    "SELECT pg_catalog.set_config('lock_timeout', pg_catalog.current_setting('wflo_schema.lock_timeout'), FALSE)"
)


# Of an index: qualified name, is valid, is on that table, is being built.
_IndexState = tuple[str, bool, bool, bool]


def refuse_pooler(session: Session, m: Migration) -> None:
    """Raise `Refused` for a pooler that gives each transaction another session: a non-transactional file needs one.

    A pooler tells a process id that is not the session's.  In transaction mode it lends our
    session to a second connection, or lends us another one.  Where the second connection gets
    none although we are answered, the session is ours alone.  It keeps what it gets for a moment only: we could
    be waiting for it.
    """
    if session.is_direct:
        return
    ask = Command("SELECT pg_catalog.pg_backend_pid()", keeps_rows=True)
    ours = session.must([ask]).rows[0][0][0]
    try:
        other = Aside(session.beside.with_role(None).connect())  # which asks nothing of it yet
        try:
            other.ask("BEGIN; SET LOCAL idle_in_transaction_session_timeout = 2000; SELECT pg_catalog.pg_backend_pid()")
            lent = other.answer(within_s=_PROBE_S)
            is_shared = lent is not None and lent[0][0] == ours
            if not is_shared:
                is_shared = session.must([ask]).rows[0][0][0] != ours
            if not is_shared and lent is None:
                lent = other.answer(within_s=_PROBE_S)
                is_shared = lent is not None and lent[0][0] == ours
        finally:
            other.close()
    except psycopg.Error as error:
        raise database_error(error, "asking whether a pooler shares our session") from error
    if is_shared:
        raise Refused(
            f"{m.id} is not transactional, and {session.database.label} is a connection pooler "
            "in transaction mode, which gives each statement another session",
            hint="name PostgreSQL itself in the URL for this migration (its own port, usually 5432)",
        )


class Stepwise:
    """A non-transactional file and the session that runs it.  ``operation``: apply or rollback."""

    def __init__(self, session: Session, m: Migration, script: Script, operation: str) -> None:
        self._session = session
        self._migration = m
        self._script = script
        self._operation = operation
        self._interrupted_names: tuple[str, ...] = ()
        self._done_checksums = done_checksums(script.statements)
        self._as_ourselves = session.as_ourselves()
        after = AFTER_EACH if operation == "apply" else AFTER_ROLLBACK
        begin = [session.name_migration(m), *session.as_begun(m)]
        self._after = session.part(m, session.hooks[after], after, before=begin) if after in session.hooks else None
        """The hook that is run with the record."""
        self._after_at = range(0)
        """Which commands of the end are the hook's."""
        has_citus = session.ledger.has_citus
        self._soon = () if has_citus else (_SOON_ON_DISK,)
        is_left = has_citus and b"lock_timeout" not in script.source.lower()  # else the file has set one itself
        timeout = {"lock_timeout": session.settings(m)["lock_timeout"]}
        self._begin = (BEGIN, *(session.set_local(timeout) if is_left else ()))
        """What begins the transaction of a statement."""
        self._at: Step | None = None
        """What the ledger says of how far it is; None where it has not begun."""
        self._finish_commands: list[Command] = []
        self._finished: Exchange | None = None
        """What came of these where they were sent behind the last statement."""

    def run(self, predecessors: Collection[str]) -> None:
        """Run it, or what is left of it, and record it.

        ``predecessors`` are hashes that must be recorded: for a rollback, these and no others.  Raise
        `Conflict` where the ledger differs, else as `migrate` says.

        One runner at a time: an advisory lock of the session, polled, because a session that waits
        inside PostgreSQL would itself be waited for by CREATE INDEX CONCURRENTLY.
        """
        m, script, operation = self._migration, self._script, self._operation
        self._session.start(m)
        self._session.script = script
        refuse_pooler(self._session, m)
        self._session.make_progress()
        done_before = False
        try:
            # a rollback must know all of them
            recorded, progress = self._lock_and_read(None if operation == "rollback" else (m.hash, *predecessors))
            self._finish_commands = self._finishing(predecessors, recorded)
            is_recorded = any(r.hash == m.hash for r in recorded)
            hashes = {r.hash for r in recorded}
            if is_recorded != (operation == "rollback") or not hashes.issuperset(predecessors):
                raise Conflict
            if operation == "rollback" and len(hashes) != len(predecessors):
                raise Conflict  # somebody has applied more since
            known = next((p for p in progress if p.hash == m.hash), None)
            done, interrupted = self._resume_at(known)
            if operation == "apply":
                self._before_each(done)
            for statement in script.statements[:done]:
                if sets_session(statement):
                    self._session.must([self._session.command(statement)])
                    self._settle_settings(statement)
            if interrupted is not None:
                interrupted = self._after_interruption(done, interrupted)
            for number in range(done, len(script.statements)):
                if self._session.stop.is_requested:
                    raise self._session.stopped(f"{m.id} stopped after statement {number} of {len(script.statements)}")
                self._one_statement(number, is_again=interrupted == script.statements[number].text)
                interrupted = None
            self._finish()
            done_before = True
        except (ConnectionLost, StoppedWaiting):
            done_before = True  # the session is gone, and its lock with it, or it does not answer any more
            raise
        finally:
            if not done_before:
                self._session.settle(ROLLBACK, *self._session.to_disk)
        self._session.finished(m, operation, len(script.statements), is_flushed=False)

    def sent(self, predecessors: Collection[str]) -> Iterator[Command]:
        """What `run` sends of a file that was never begun, where nothing goes wrong."""
        m, session, before = self._migration, self._session, self._session.hooks.get(BEFORE_EACH)
        yield BEGIN
        yield from _set({**session.settings(m), **_SESSION_SETTINGS})
        yield _TAKE._replace(parameters=session.ledger.lock_keys)
        yield COMMIT
        if before is not None:
            part = session.part(m, before, BEFORE_EACH, before=[BEGIN, session.name_migration(m)])
            yield from (command for _, command in part.commands(session.command))
            yield COMMIT
            for statement in before.statements:
                yield from self._settling(statement)
        for number, statement in enumerate(self._script.statements):
            if runs_alone(statement) or statement.first_word in ("CALL", "DO"):
                is_patient = waits_harmlessly(statement.text)
                running = self._step(number, statement.text)
                yield from self._written(running, *((_NO_LOCK_TIMEOUT,) if is_patient else ()))
                self._at = running
                yield session.command(statement)
                yield from (_LOCK_TIMEOUT_AGAIN,) if is_patient else ()
                yield from self._written(self._step(number + 1))
            else:
                done = (*self._as_ourselves, self._mark(self._step(number + 1)))
                yield from (*self._begin, session.command(statement), *done, COMMIT)
            self._at = self._step(number + 1)
            yield from self._settling(statement)
        yield from self._finishing(predecessors, ())

    def _finishing(self, predecessors: Collection[str], recorded: Collection[Record]) -> list[Command]:
        """What records that it is done, and clears the session."""
        m, session = self._migration, self._session
        record: tuple[Command, ...]
        if self._operation == "apply":
            after = max(filter(None, (last_applied(recorded), session.after)), default=None)
            record = insert_commands(session.ledger, m, predecessors=list(predecessors), after=after)
            record = (*record, *record_commands(session.ledger, m), *session.due)
            seal = seal_command(session.ledger, m)
        else:
            hashes = [r.hash for r in recorded]
            record = (delete_command(session.ledger, m, recorded=hashes), *forget_commands(session.ledger, m))
            seal = seal_removal_command(session.ledger, m, recorded=hashes)
        begin = [BEGIN, *self._soon, *self._as_ourselves, *record, progress_delete_command(session.ledger, m)]
        hook = self._after_each()
        self._after_at = range(len(begin), len(begin) + len(hook))
        return [*begin, *hook, *(self._as_ourselves if hook else ()), SETTLE, seal, COMMIT, DISCARD]

    def _after_each(self) -> list[Command]:
        """The hook behind it, in the transaction that records it."""
        session = self._session
        if self._after is None:
            return []
        look = (SETTLE, *session.look_outside) if session.look_outside else ()
        return [*(command for _, command in self._after.commands(session.command)), *look]

    def _before_each(self, done: int) -> None:
        """Run the hook before it, in a transaction of its own; what it sets in the session holds for the file."""
        m, session, script = self._migration, self._session, self._session.hooks.get(BEFORE_EACH)
        if script is None:
            return
        part = session.part(m, script, BEFORE_EACH, before=[BEGIN, session.name_migration(m)])
        look = (SETTLE, *session.look_outside) if session.look_outside else ()
        commands = [*(command for _, command in part.commands(session.command)), *look, COMMIT]
        tries = session.tries()
        while True:
            tries.count += 1
            error = session.pipeline.exchange(commands).error
            if error is None:
                break
            session.must([ROLLBACK])
            stay = f"; {counted(done, 'statement')} of {m.id} stay" if done else ""
            self._hook_refused(part, error, error.index, tries, f"nothing of it was kept{stay}")
        for statement in script.statements:
            self._settle_settings(statement)

    def _hook_refused(self, part: Part, error: ServerError, index: int, tries: Tries, then: str) -> None:
        """Pause where another try may help, else raise.  ``index``: which of the part's commands was refused."""
        m, session, number = self._migration, self._session, part.number(index)
        if error.keeps_waiting:
            self._let_go()
        if session.stop.is_requested:
            raise session.stopped(f"{m.id} was cancelled in {HOOKS}/{part.hook}: {then}")
        if error.sqlstate in RETRIED:
            session.pause_or_give_up(m, part.script, error, number, tries)
            return
        session.refuse_outside(part.script, error, number)
        raise session.failed(m, part.script, error, number, hook=part.hook, then=then)

    def _finish(self) -> None:
        """Record that it is done, and clear the session, where that was not sent behind the last statement."""
        m, session = self._migration, self._session
        tries = session.tries()
        seal_index = len(self._finish_commands) - 3
        while True:
            tries.count += 1
            outcome, self._finished = self._finished or session.pipeline.exchange(self._finish_commands), None
            if outcome.error is None:
                return
            if outcome.error.index > seal_index + 1:
                session.settle(ROLLBACK)  # it is committed; a cancel request came late
                return
            session.must([ROLLBACK])
            if self._at is not None and self._at.done < len(self._script.statements):
                self._record(self._step(len(self._script.statements)))
            if self._after is not None and outcome.error.index in self._after_at:
                then = "all statements of the file were run, and stay; run it again when the hook is mended"
                index = outcome.error.index - self._after_at.start
                self._hook_refused(self._after, outcome.error, index, tries, then)
                continue
            if session.stop.is_requested:
                raise session.stopped(f"all of {m.id} was run, but it is not recorded yet")
            if outcome.error.sqlstate in RETRIED:
                session.pause_for_ledger(m, outcome.error, tries)
                continue
            if outcome.error.index == seal_index or outcome.error.sqlstate in LEDGER_GONE:
                raise session.unrecorded(m, self._script, outcome.error)
            if outcome.error.sqlstate in ("23505", "23502", "22012"):
                raise Conflict
            raise session.ledger_error(outcome.error)

    def _lock_and_read(self, only: Sequence[str] | None) -> tuple[tuple[Record, ...], tuple[Progress, ...]]:
        """Take the lock, set what holds while the file runs, and then read the ledger: all in one exchange."""
        session, m = self._session, self._migration
        settings = {**session.settings(m), **_SESSION_SETTINGS, "application_name": session.token}
        lock = [BEGIN, *_set(settings), _TAKE._replace(parameters=session.ledger.lock_keys), COMMIT]
        tries = session.tries()
        while True:
            try:
                return session.read(only=only, first=lock)
            except DatabaseError as error:
                if error.sqlstate != "22012":
                    raise
            session.must([ROLLBACK])
            session.wait_for_colleague(m, tries)

    def _resume_at(self, known: Progress | None) -> tuple[int, str | None]:
        """How many statements are done, and the one that was interrupted."""
        if known is None:
            return 0, None
        m, script, operation = self._migration, self._script, self._operation
        done = known.statements_done
        same = self._done_checksums[done : done + 1] == (known.done_checksum,)
        forget = forget_progress(self._session.ledger.schema, m.id)
        lost = next((n for n, s in enumerate(script.statements[:done]) if leaves_with_session(s)), None)
        what = hint = ""
        superseded = superseded_command(self._session.ledger, m)
        if self._session.patiently(lambda ms: self._session.must([*no_longer(ms), superseded])).rows[-1]:
            what = "another tool has applied it or rolled it back since"
            hint = f"see what of it is there; then, to begin it anew, {forget}"
        elif known.operation != operation or done > len(script.statements) or not same:
            what = f"that was during its {known.operation}"
            if known.operation == operation:
                what = "these were edited since"
                if m.variables:
                    what = f"these were edited since, or a variable ({listed(m.variables)}) has another value now"
            hint = f"bring {script.path} back as it was and run it again; or finish by hand what is half done"
            hint += f", then {forget}"
        elif lost is not None and done < len(script.statements):
            said = shown(script.statements[lost].written)
            what = f"what statement {lost + 1} made or set ({said}) is gone with its session"
            hint = f"finish or undo by hand what it has begun, then {forget}"
        if what:
            raise Refused(f"{m.id} was interrupted after {counted(done, 'statement')}, and {what}", hint=hint)
        self._session.notify(Notice(m.id, "REPAIR", f"going on after statement {done} of {len(script.statements)}"))
        self._interrupted_names = known.running_names
        self._at = Step(done, known.done_checksum, known.running_statement)
        return done, known.running_statement

    def _after_interruption(self, done: int, interrupted: str) -> str | None:
        """Clear away what an interrupted statement left; return it where the file has it next, else None.

        Raise `Refused` where nobody can know what it did.
        """
        if not self._is_knowable(interrupted):
            said = shown(interrupted)
            raise Refused(
                f"{self._migration.id} was interrupted in statement {done + 1} ({said}), which commits by itself: "
                "how far it came cannot be known",
                hint=self._either_way(done, interrupted),
            )
        self._clear(interrupted)
        if self._is_at(done, interrupted):
            return interrupted
        parted = detached(interrupted)  # the file was edited, and has no such statement any more
        tries = self._session.tries()
        while parted is not None and self._has_left_something(interrupted):
            tries.count += 1
            outcome = self._session.pipeline.exchange([_finalize(parted)])
            if outcome.error is not None:
                self._session.pause_for_locks(self._migration, outcome.error, tries)
        return None

    def _is_at(self, number: int, text: str) -> bool:
        return number < len(self._script.statements) and self._script.statements[number].text == text

    def _either_way(self, done: int, text: str) -> str:
        """What to type where only a person can see how far a statement came."""
        table, this_one = progress_of(self._session.ledger.schema, self._migration.id)
        update = f"UPDATE {table} SET running_statement = NULL"
        ways = [f"see what it did; then, to run it again from its beginning: {update} {this_one}"]
        if self._is_at(done, text):
            after = f"{update}, statements_done = {done + 1}, done_checksum = '{self._done_checksums[done + 1]}'"
            ways.append(f"or, to go on after it: {after} {this_one}")
        else:
            ways.append("or bring the statement back as it was, to be told how to go on after it")
        return "; ".join(ways)

    def _is_knowable(self, text: str) -> bool:
        """Can we see whether it was completed, or does that not matter?"""
        return is_repeatable(text) or self._is_done(text) is not None

    def _one_statement(self, number: int, *, is_again: bool) -> None:
        """Run one statement and record it.  ``is_again``: it was interrupted in an earlier run."""
        m, script, session = self._migration, self._script, self._session
        statement = script.statements[number]
        after = self._step(number + 1)
        done = [*self._as_ourselves, self._mark(after)]
        in_transaction: ServerError | None = None
        if not runs_alone(statement):
            tries = session.tries()
            while True:
                tries.count += 1
                session.start(m, script)
                look = (SETTLE, *session.look_outside) if session.look_outside else ()
                run = [*self._begin, session.command(statement), *look, *done, COMMIT]
                place_of = len(self._begin)
                outcome = session.pipeline.exchange(run)
                if outcome.error is None:
                    self._at = after
                    self._settle_settings(statement)
                    return
                is_at_commit = outcome.error.index == len(run) - 1
                if not is_at_commit:
                    session.must([ROLLBACK])
                session.refuse_outside(script, outcome.error, number)
                if outcome.error.sqlstate in ("25001", "2D000") and outcome.error.index == place_of:
                    in_transaction = outcome.error
                    break  # it must be alone, or commits by itself
                if outcome.error.index == len(run) - 2 and outcome.error.sqlstate in _TAKEN_OVER:
                    raise self._taken_over(number)
                is_of_ledger = place_of + len(look) < outcome.error.index < len(run) - 1
                is_of_ledger = is_of_ledger and outcome.error.sqlstate != "25006"
                if is_of_ledger and outcome.error.sqlstate in RETRIED:
                    session.pause_for_ledger(m, outcome.error, tries)
                elif is_of_ledger:
                    raise session.ledger_error(outcome.error)
                else:
                    place = "at its COMMIT" if is_at_commit else ""
                    self._refused(number, outcome.error, tries, place=place)
        self._alone(number, is_again=is_again, in_transaction=in_transaction)
        self._settle_settings(statement)

    def _settle_settings(self, statement: Statement) -> None:
        """Set again what the statement has reset to the server's value."""
        if again := self._settling(statement):
            self._session.must(again)

    def _settling(self, statement: Statement) -> list[Command]:
        """What does that, where anything is to be set."""
        again = self._session.settings_after(self._migration, statement)
        if "application_name" in again:
            again["application_name"] = self._session.token
        if resets(statement) == OURS:
            again = {**again, **_SESSION_SETTINGS}
        return _set(again) if again else []

    def _alone(self, number: int, *, is_again: bool, in_transaction: ServerError | None = None) -> None:
        """Run a statement that cannot share a transaction with its record: first record that it is running.

        ``in_transaction``: what it failed with when it was tried in one.
        """
        m, session = self._migration, self._session
        statement = self._script.statements[number]
        parted, build = detached(statement.text), index_build(statement.text)
        is_last = number + 1 == len(self._script.statements)
        is_recorded_at_once = is_last and build is not None  # because the effect of an index can be seen
        finish = self._finish_commands if is_recorded_at_once else []
        tries = session.tries()
        while True:
            tries.count += 1
            session.start(m)
            state = self._index_state(build) if build is not None else None
            names = self._interrupted_names if is_again else ()
            is_done = self._is_done(statement.text, names) if build is None else _is_valid(state)
            if is_done and is_again:
                said = f"statement {number + 1} was complete when the run was interrupted"
                session.notify(Notice(m.id, "REPAIR", said))
                break
            self._check_index(statement, state)
            if session.stop.is_requested:
                raise session.stopped(f"{m.id} stopped after statement {number} of {len(self._script.statements)}")
            self._wait_for_table(number, tries)
            is_begun = parted is not None and self._has_left_something(statement.text)
            run = [_finalize(parted) if parted is not None and is_begun else Command(statement.text)]
            is_patient = waits_harmlessly(statement.text)
            patience = [_NO_LOCK_TIMEOUT] if is_patient else []
            run += [_LOCK_TIMEOUT_AGAIN] if is_patient else []
            # if its effect is there before it runs, a later run could not tell whose work it is
            if not is_done:
                step = self._step(number, statement.text, self._names(statement.text))
                outcome = self._record(step, also=patience, then=[*run, *finish])
            else:
                session.must(patience)
                outcome = session.pipeline.exchange([*run, *finish])
            if finish and (outcome.error is None or outcome.error.index >= len(run)):
                self._finished = _behind(outcome, len(run))
                break
            if outcome.error is None:
                break
            if is_patient:
                session.must([_LOCK_TIMEOUT_AGAIN])
            if outcome.error.index > 0:  # it is done; a cancel request came late
                break
            session.refuse_outside(self._script, outcome.error, number)
            if in_transaction is not None and _is_same(outcome.error, in_transaction):
                self._has_done_nothing(number)  # it came no further than the first time
            elif not self._is_knowable(statement.text):
                raise self._unknown(number, outcome.error)
            elif not is_done and not self._has_left_something(statement.text):
                self._has_done_nothing(number)
            self._refused(number, outcome.error, tries)
            self._clear(statement.text)
            is_again = False
        if not is_recorded_at_once:
            self._record(self._step(number + 1))

    def _wait_for_table(self, number: int, tries: Tries) -> None:
        """Wait, as long as for any other lock, until an index may be built or dropped, where others may do the same.

        CONCURRENTLY waits for its table with a snapshot, for which the same statement in every other schema waits.
        """
        text, session = self._script.statements[number].text, self._session
        if not session.is_one_of_many:
            return
        build = index_build(text)
        tables = [build.table] if build is not None else self._tables_of(dropped_indexes(text))
        while tables:
            lock = Command(f"LOCK TABLE {', '.join(tables)} IN SHARE UPDATE EXCLUSIVE MODE")
            error = session.pipeline.exchange([BEGIN, lock, COMMIT]).error
            if error is None:
                return
            session.must([ROLLBACK])
            if error.sqlstate not in RETRIED:
                return  # what else is wrong the statement says
            self._refused(number, error, tries)
            tries.count += 1
            session.start(self._migration)

    def _tables_of(self, indexes: Sequence[str]) -> list[str]:
        ask = "SELECT indrelid::regclass FROM pg_catalog.pg_index WHERE indexrelid = pg_catalog.to_regclass($1)"
        asked = [Command(ask, (name,), keeps_rows=True) for name in indexes]
        rows = self._session.must(asked).rows if asked else ()
        return [table for found in rows for (table,) in found if table]

    def _record(self, step: Step, *, also: Sequence[Command] = (), then: Sequence[Command] = ()) -> Exchange:
        """Write how far it is to the ledger's table as ourselves; try it again while that is locked.

        ``also`` is in the same transaction.  ``then`` is sent behind it, and runs once that is committed; return what
        came of it.
        """
        tries = self._session.tries()
        while True:
            tries.count += 1
            write = self._written(step, *also)
            outcome = self._session.pipeline.exchange([*write, *then])
            error = outcome.error
            if error is None or error.index >= len(write):
                self._at = step
                return _behind(outcome, len(write))
            self._session.must([ROLLBACK])
            if error.sqlstate in _TAKEN_OVER:
                raise self._taken_over()
            if error.sqlstate == "57014" and self._session.stop.is_requested:
                raise self._session.stopped("it was cancelled between two statements; what came before stays")
            if error.sqlstate not in RETRIED:
                raise self._session.ledger_error(error)
            self._session.pause_for_ledger(self._migration, error, tries)

    def _written(self, step: Step, *also: Command) -> list[Command]:
        """The transaction that writes how far it is."""
        return [BEGIN, *self._soon, *self._as_ourselves, self._mark(step), *also, COMMIT]

    def _taken_over(self, number: int | None = None) -> Exception:
        """What it means that the progress is not as we know it: `Conflict`, unless nobody has gone on with it.

        ``number``: the statement in whose transaction it was written, which is taken back now.
        """
        recorded, progress = self._session.read()
        m, is_rollback = self._migration, self._operation == "rollback"
        is_finished = any(r.hash == m.hash for r in recorded) != is_rollback
        known = next((Step(*p[3:]) for p in progress if p.hash == m.hash), None)
        if number is not None and known == self._at and not is_finished:
            return failure(
                f"{m.id} changes the ledger's record of how far it has come; the statements before this one stay",
                f"take it out of the file, and run it again: it goes on with statement {number + 1}",
                m,
                self._script,
                statement=self._script.statements[number],
            )
        if self._at is None or is_finished or known is not None:
            return Conflict()
        done = counted(self._at.done, "statement")
        return DatabaseError(
            f"the record of how far {m.id} has come is gone from {progress_of(self._session.ledger.schema, m.id)[0]}: "
            f"{done} of {len(self._script.statements)} {'is' if self._at.done == 1 else 'are'} done, and stay",
            hint="another run would begin with the first statement again: before that, finish or undo by hand what "
            "is done, and take out of the file what changes the ledger's tables",
        )

    def _names(self, text: str) -> tuple[str, ...]:
        """The qualified names of what is about to be dropped: later, its name alone may mean another one."""
        ask = [
            Command(load_sql("engine", "qualified_name"), (name,), keeps_rows=True) for name in dropped_indexes(text)
        ]
        return tuple(rows[0][0] or "" for rows in self._session.must(ask).rows if rows) if ask else ()

    def _has_done_nothing(self, number: int) -> None:
        """Record that a statement is not running any more, and has left nothing."""
        step = self._step(number)
        if self._session.pipeline.exchange(self._written(step)).error is None:
            self._at = step
        else:
            self._session.pipeline.exchange([ROLLBACK])

    def _step(self, done: int, running: str | None = None, names: tuple[str, ...] = ()) -> Step:
        return Step(done, self._done_checksums[done], running, names)

    def _mark(self, now: Step) -> Command:
        """Record the progress, where it is still as we know it."""
        return progress_command(
            self._session.ledger, self._migration, operation=self._operation, now=now, before=self._at
        )

    def _refused(self, number: int, error: ServerError, tries: Tries, *, place: str = "") -> None:
        """Pause where another try may help, else raise."""
        m, script, session = self._migration, self._script, self._session
        statement = script.statements[number]
        if error.keeps_waiting:
            self._let_go()
        if session.stop.is_requested:
            raise session.stopped(
                f"{m.id} was cancelled in statement {number + 1} of {len(script.statements)}; what came before it stays"
            )
        if error.sqlstate in RETRIED:
            session.pause_or_give_up(m, script, error, number, tries)
            return
        failed = session.failed(m, script, error, number, place=place)
        if self._has_left_something(statement.text) and (build := index_build(statement.text)):
            failed.message += f"\nit left the index {build.name} INVALID, which the next run drops and builds again"
        raise failed

    def _let_go(self) -> None:
        """Let those through who wait for what the session holds beyond its transactions; it is at its end."""
        self._session.pipeline.exchange([Command("SELECT pg_catalog.pg_advisory_unlock_all()")])

    def _unknown(self, number: int, error: ServerError) -> WfloSchemaError:
        """The error of a statement that commits by itself: what it had committed before is not known."""
        if error.keeps_waiting:
            self._let_go()
        if self._session.stop.is_requested:
            stopped = self._session.stopped(
                f"{self._migration.id} was cancelled in statement {number + 1} of {len(self._script.statements)}, "
                "which commits by itself: what it had committed by then stays"
            )
            stopped.hint = self._either_way(number, self._script.statements[number].text)
            return stopped
        either_way = self._either_way(number, self._script.statements[number].text)
        failed = self._session.failed(self._migration, self._script, error, number, then=either_way)
        failed.message += "\nit commits by itself: what it had committed by then stays"
        return failed

    # what a statement that runs alone has done, and what it has left

    def _is_done(self, text: str, names: Sequence[str] = ()) -> bool | None:
        """Is its effect there?  None where that cannot be seen.

        ``names``: what it was about to drop when it was interrupted.
        """
        build = index_build(text)
        if build is not None:
            return _is_valid(self._index_state(build))
        if dropped := tuple(names) or dropped_indexes(text):
            ask = [Command("SELECT pg_catalog.to_regclass($1) IS NULL", (name,), keeps_rows=True) for name in dropped]
            return all(rows[0][0] == "t" for rows in self._session.must(ask).rows)
        if parted := detached(text):
            return not self._attached(parted)
        made = whole(text)
        if made is not None:
            ask = [Command(load_sql("engine", "whole_state"), (made.kind, made.name), keeps_rows=True)]
            return (self._session.must(ask).rows[0][0][0] == "t") is made.is_there
        return None

    def _has_left_something(self, text: str) -> bool:
        """Did it fail and leave something that the next run must clear away?"""
        build = index_build(text)
        if build is not None:
            state = self._index_state(build)
            return state is not None and not state[1] and state[2] and not state[3]
        if parted := detached(text):
            return any(is_pending == "t" for (is_pending,) in self._attached(parted))
        return reindexed(text) is not None

    def _attached(self, names: tuple[str, str]) -> tuple[Row, ...]:
        """One row where the second is a partition of the first: is it being detached?"""
        return self._session.must([Command(load_sql("engine", "detach_state"), names, keeps_rows=True)]).rows[0]

    def _index_state(self, build: IndexBuild) -> _IndexState | None:
        """Qualified name, is valid, is on that table, is being built; None where there is no such index."""
        # most often there is none, which costs PostgreSQL a tenth of the whole question
        any_such = Command("SELECT c.oid FROM pg_catalog.pg_class AS c WHERE c.relname = $1", (build.name,), True)
        ask = Command(load_sql("engine", "index_state"), (build.table, build.name), keeps_rows=True)
        rows = self._session.must([ask]).rows[0] if self._session.must([any_such]).rows[0] else ()
        if not rows:
            return None
        is_valid, is_on_table, is_being_built, name = rows[0]
        return name or "", is_valid == "t", is_on_table == "t", is_being_built == "t"

    def _check_index(self, statement: Statement, state: _IndexState | None) -> None:
        """Raise `MigrationFailed` where the index is there, but INVALID: IF NOT EXISTS would call that a success."""
        if state is None or state[1]:
            return
        name, _, _, is_being_built = state
        why = "another session is building it now" if is_being_built else "a build of it was interrupted or failed"
        raise failure(
            f"{self._migration.id}: the index {name} is there, but INVALID: {why}",
            "wait for it" if is_being_built else f"DROP INDEX CONCURRENTLY IF EXISTS {name}; then run it again",
            self._migration,
            self._script,
            statement=statement,
        )

    def _clear(self, text: str) -> None:
        """Clear away what a statement that failed or was interrupted left, or finish what it had begun."""
        build = index_build(text)
        if build is not None and self._has_left_something(text):
            state = self._index_state(build)
            assert state is not None
            said = f"the index {state[0]} was left INVALID by an interrupted build: dropping it"
            self._session.notify(Notice(self._migration.id, "REPAIR", said))
            self._drop_indexes([state[0]])
        again = reindexed(text)
        if again is not None:
            left = self._session.must([Command(load_sql("engine", "index_leftovers"), again, keeps_rows=True)]).rows[0]
            names = [name or "" for (name,) in left]
            if names:
                were = counted(len(names), "index was", "indexes were")
                said = f"{were} left INVALID by an interrupted REINDEX: dropping"
                self._session.notify(Notice(self._migration.id, "REPAIR", f"{said} {listed(names)}"))
            self._drop_indexes(names)

    def _drop_indexes(self, names: Sequence[str]) -> None:
        for name in names:
            drop = Command(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
            self._session.must([_NO_LOCK_TIMEOUT])
            self._session.must([drop, _LOCK_TIMEOUT_AGAIN])


def _finalize(names: tuple[str, str]) -> Command:
    return Command(f"ALTER TABLE {names[0]} DETACH PARTITION {names[1]} FINALIZE")


def _is_same(one: ServerError, other: ServerError) -> bool:
    """Did it fail at the same place?"""
    return (one.sqlstate, one.message, one.context, one.position) == (
        other.sqlstate,
        other.message,
        other.context,
        other.position,
    )


def _behind(outcome: Exchange, count: int) -> Exchange:
    """The outcome of all but the first commands, which have succeeded."""
    error = outcome.error
    return Exchange(outcome.rows[count:], None if error is None else replace(error, index=error.index - count))


def _is_valid(state: _IndexState | None) -> bool:
    """Is the index there, whole, and on its table?"""
    return state is not None and state[1] and state[2]


def _set(settings: Mapping[str, str]) -> list[Command]:
    one_by_one = ", ".join(f"pg_catalog.set_config(${n}, ${n + 1}, FALSE)" for n in range(1, 2 * len(settings), 2))
    return [Command(f"SELECT {one_by_one}", tuple(itertools.chain.from_iterable(settings.items())))]

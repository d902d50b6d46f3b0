"""Sends migrations, each with its record in one transaction, and says what became of each.

Hides retries, what is sent ahead, and what PostgreSQL's errors mean for the transaction.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, Exchange, ServerError
from wflo_schema.connect.schemas import missing_schema
from wflo_schema.engine.ledger import (
    create_ledger,
    create_own,
    delete_command,
    insert_commands,
    lock_command,
    progress_delete_command,
    seal_removal_command,
    share_command,
)
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS
from wflo_schema.engine.parts import Part
from wflo_schema.engine.planning import (
    Scripts,
)
from wflo_schema.engine.repeatables import (
    TABLE,
    Text,
    read_texts,
)
from wflo_schema.engine.repeatables import lock_command as lock_repeatables
from wflo_schema.engine.session import DEPENDED_ON, MISSING, RETRIED, SETTLE, Conflict, Session, Tries
from wflo_schema.engine.transaction import Transaction, any_names_ledger, hashes_of
from wflo_schema.engine.values import (
    forget_commands,
    needs_table,
    record_commands,
)
from wflo_schema.errors import ConnectionLost, DatabaseError, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations, load_script, migration_hash
from wflo_schema.files.listing import (
    AFTER_EACH,
    AFTER_ROLLBACK,
    BEFORE_EACH,
)

if TYPE_CHECKING:
    from wflo_schema.engine.repeating import Repeating
    from wflo_schema.files.script import Script

# Seconds of work, at most, that are reported late because nobody waited for its commits yet.
FLUSH_EVERY_S = 0.25

# Characters: behind a longer migration the next one is not sent while it runs.
_LONGEST_AHEAD = 1_000_000

# What the ledger's statements fail with when the ledger is not as planned: the row is there already,
# a predecessor is not, the set differs (see ledger_delete.sql), or the tables are gone.
_OUT_OF_DATE = frozenset({"23505", "23502", "22012", "42P01", "3F000"})


class Sending(Session):
    """A session that sends migrations, each as one transaction, and tries again where only locks are in the way."""

    flushes_last = True
    """The last migration of the run is on disk when it is answered."""
    creates_schema = False
    _ahead: Transaction | None = None
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
    drops_deleted = False
    """What deleted repeatable files made is to be dropped behind the migrations, and is not made again before."""
    _has_taken_down = False
    """A migration has taken down what repeatable files made, and it could not be made again yet."""
    _lacking: dict[str, tuple[frozenset[str], ServerError]]
    """Of a migration: which repeatable files make what it lacks, and what PostgreSQL said of that."""
    _put_back: dict[str, Repeating]
    """By migration: what was made again behind it, or first, in its transaction."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._lacking, self._put_back = {}, {}

    @property
    def sent_behind(self) -> str | None:
        """The id of the migration that was sent behind the current one."""
        return self._ahead.migration.id if self._ahead is not None else None

    def _take(self, scripts: Scripts, m: Migration) -> Script:
        """The statements of one; a stop does not wait until a long file is read."""
        with self.stop.raising():
            return scripts.take(m)

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
        return (Command("RESET ALL"), *self.named, *self.as_ourselves(), *self.set_local(self.settings(m)))

    def _step_by_step(self, m: Migration, script: Script, operation: str, recorded: Collection[str]) -> None:
        from wflo_schema.engine.stepwise import Stepwise

        Stepwise(self, m, script, operation).run(recorded)
        if time.monotonic() - self.flushed_at >= FLUSH_EVERY_S:
            self.flush()

    def _look_at_ledger(self) -> None:
        """See whether it is still one to trust: somebody, or a file, has changed it."""
        self.ledger = self.find_ledger()
        if not self.ledger.is_complete:
            self._make_ledger()
        self.read()
        self.refuse_flaws()

    def _make_ledger(self) -> None:
        lock_timeout_ms, makes = self.locks.of(None), self.creates_schema
        try:
            self.make(
                lambda: create_ledger(self.pipeline, self.ledger, lock_timeout_ms=lock_timeout_ms, makes_schema=makes)
            )
        except DatabaseError as error:
            if error.sqlstate == "3F000" and self.database.ledger_place is not None:  # somebody has dropped it
                raise missing_schema(self.database, of_ledger=self.database.ledger_schema is not None) from None
            raise

    def _make_repeatables(self) -> None:
        """Make the table of repeatable files, where it is not there."""
        if TABLE not in self.ledger.own:
            self.make(lambda: create_own(self.pipeline, self.ledger, "repeatable_create"))

    def _make_values(self, migrations: Sequence[Migration]) -> None:
        """Make the table of variables, where one of these has some."""
        if needs_table(self.ledger, migrations):
            self.make(lambda: create_own(self.pipeline, self.ledger, "variable_create"))

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
    ) -> Transaction | None:
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
    ) -> Transaction:
        from wflo_schema.files.statements import runs_no_code

        is_last = behind is None and self.flushes_last
        is_flushed = is_last or time.monotonic() - self.flushed_at >= FLUSH_EVERY_S
        has_hooks = BEFORE_EACH in self.hooks or AFTER_EACH in self.hooks
        is_plain = self._is_plain and not has_hooks and script.once(runs_no_code)
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
            and not any_names_ledger(parts)
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
    ) -> Transaction:
        """``record`` first asks whether a non-transactional run is at work, then changes the ledger.

        ``is_plain``: the file leaves the session as it is, so that it need not be cleared before another such file.
        """
        opening = [BEGIN, *self.named]
        for_ledger = str(self.locks.of(None) or LOCK_TIMEOUT_MS)
        lasting: list[Command] = []
        is_lasting = is_plain and self.is_direct and "pg_temp" not in self.ledger.path.lower()
        if is_lasting and settings["lock_timeout"] == for_ledger:
            lasting, settings = [Command(f"SET {name} = {value}") for name, value in settings.items()], {}
            record = [command._replace(is_kept=True) for command in record]
        else:
            opening += self.set_local({"lock_timeout": for_ledger})
            if settings["lock_timeout"] == for_ledger:
                settings = {name: value for name, value in settings.items() if name != "lock_timeout"}
        return Transaction(
            m,
            next(part.script for part in parts if not part.hook),
            tuple(opening),
            tuple(lasting),
            tuple(record),
            (*self.set_local(settings), *((self.name_migration(m),) if len(parts) > 1 else ())),
            self.command,
            parts,
            tuple(seal),
            self.to_disk if is_flushed else (),
            is_flushed,
            is_followed,
        )

    def _apply(self, one: Transaction, following: Callable[[], Transaction | None], *, is_sent: bool) -> None:
        """Apply one migration; where nothing forbids it, send the next behind it before it is answered.

        What is sent behind cannot run if this one fails: PostgreSQL refuses everything in a failed
        transaction, BEGIN too, and where COMMIT itself failed, its ledger row misses its predecessor.
        Nor can it run in a session that was not cleared: DISCARD ALL comes first, and where it fails,
        PostgreSQL skips the rest.  Only between files that leave the session as it is there is no DISCARD ALL.
        """
        self.start(one.migration, one.script)
        self._ahead = None
        if not (is_sent or one.is_followed):
            is_flushed = self._transaction(one, self._exchange(one))
            self.finished(one.migration, "apply", len(one.script.statements), is_flushed=is_flushed)
            return
        if not is_sent:
            self.pipeline.send(one.sent())
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

    def _refuse_overtaken(self, one: Transaction, ahead: Transaction, behind: Exchange) -> None:
        """Raise `Conflict` where the one sent behind was applied: somebody else recorded the one that failed."""
        if behind.error is not None and behind.error.index <= ahead.commit_index:
            return
        self._ahead = None
        self.settle(ROLLBACK)
        self.start(ahead.migration)
        is_flushed = ahead.is_flushed and behind.error is None
        self.finished(ahead.migration, "apply", len(ahead.script.statements), is_flushed=is_flushed)
        raise Conflict

    def _exchange(self, one: Transaction) -> Exchange:
        """Send one transaction, and clear the session behind it.

        Of many targets each is one message: who looks at one of them need not know at which statement it is, unless
        that is a function in the database.
        """
        is_read_at_once = not (self.ledger.has_citus or self.pipeline.reads_backslashes) and one.fits_one_message
        if self._kept is None or not is_read_at_once or self._kept.logs_queries:
            return self.pipeline.exchange(itertools.chain(one.commands(), (DISCARD,)))
        commands = [*one.commands()]
        outcome = self.pipeline.exchange_as_one(commands)
        if outcome.error is not None:
            return outcome
        try:
            error = self.pipeline.exchange_as_one([DISCARD]).error
        except ConnectionLost:
            return outcome  # it is committed; whoever needs the connection next is told
        return outcome if error is None else Exchange(outcome.rows, replace(error, index=len(commands)))

    def _transaction(self, one: Transaction, outcome: Exchange | None = None) -> bool:
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
                outcome = self._around(one) if one.is_around else self._exchange(one)
            error = outcome.error
            outcome = None
            if error is None:
                return one.is_flushed
            self.settle(ROLLBACK)
            if self._goes_around(one, error):
                one = one._replace(is_around=True)
                continue
            if error.index > one.commit_index:
                return False  # it is committed; a cancel request came late
            if self.stop.is_requested:
                raise self.stopped(self.taken_back(m))
            if error.index < 0:
                continue  # the session was not cleared before it: nothing of it was run
            one = self._again(one, error, tries)

    def _again(self, one: Transaction, error: ServerError, tries: Tries, *, place: str = "") -> Transaction:
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
        if error.keeps_waiting:
            raise self.failed(m, part.script, error, number, hook=part.hook)
        if one.seal_index < error.index < one.commit_index:
            if error.sqlstate == "42501" and not one.is_ourselves:
                return one._replace(seal=tuple(self.seal(m, script, as_ourselves=True)), is_ourselves=True)
            raise self.unrecorded(m, script, error)
        if error.index == one.commit_index and error.sqlstate == "25006":
            raise self.written_at_commit(m, script, error)
        if number is None and error.index < one.seal_index:
            place = "before its first statement"
        raise self.failed(m, part.script, error, number, place=place if number is None else "", hook=part.hook)

    def _goes_around(self, one: Transaction, error: ServerError) -> bool:
        """May it go on, once what repeatable files made is out of its way, or they have made what it lacks?

        On a fresh database they are not applied yet where a migration uses what they make.
        """
        m = one.migration
        if error.sqlstate in DEPENDED_ON:
            return bool(self._texts) and not one.is_around
        if error.sqlstate not in MISSING or one.undoes or not self._files.repeatables:
            return False
        from wflo_schema.engine.repeating import Files, makers_of

        files = Files([r for r in self._files.repeatables if r.id not in self._texts], self.loader(load_script))
        known, _ = self._lacking.get(m.id, (frozenset(), error))
        needed = known | makers_of(error.message, files.values())
        if needed == known:
            return False
        self._lacking[m.id] = needed, error
        self._make_repeatables()
        return True

    def _make_first(self, one: Transaction, repeating: Repeating) -> ServerError | None:
        """Apply the repeatable files that make what a migration lacks; where they cannot be, what it was told."""
        from wflo_schema.engine.repeating import NotApplied

        needed, lack = self._lacking.get(one.migration.id, (frozenset(), None))
        if lack is None:
            return None
        try:
            repeating.apply([repeating.files[i] for i in needed if i not in repeating.texts])
        except NotApplied:
            return lack
        self.must([*self._between(one.migration)])
        self.start(one.migration, one.script, goes_on=True)
        return None

    def _around(self, one: Transaction) -> Exchange:
        """Send a transaction step by step, and take down what keeps a statement from running; put it back at the end.

        The outcome is that of `Transaction.commands`.
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
            if (lack := self._make_first(one, repeating)) is not None:
                return Exchange((), lack)
            for part, number, command in one.statements():
                index += 1
                while (error := self.pipeline.exchange([savepoint, command, release]).error) is not None:
                    if error.sqlstate in DEPENDED_ON and number is not None:
                        self.must([back, release])
                        if repeating.make_room(part.script.statements[number], error):
                            continue
                    return Exchange((), replace(error, index=index))
            repeating.look_for_lost()
            if self.drops_deleted:
                repeating.going = frozenset(repeating.texts.keys() - repeating.files.keys())
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
        return self._end_around(one, repeating, ending)

    def _end_around(self, one: Transaction, repeating: Repeating, ending: Sequence[Command]) -> Exchange:
        """Send what records it, and the end of the transaction; the outcome is that of `_around`."""
        self._has_taken_down = bool(repeating.down)
        standing = self._texts
        if one.migration.id in self._lacking:  # read while nobody else can lock their table
            if (error := self.pipeline.exchange(ending).error) is not None:
                return Exchange((), replace(error, index=one.seal_index))
            standing, ending = read_texts(self.pipeline, self.ledger), ()
        is_end = COMMIT in one.closing
        error = self.pipeline.exchange(
            [*ending, *one.seal, *one.closing, *one.after, *((DISCARD,) if is_end else ())]
        ).error
        if error is None or error.index - len(ending) + one.seal_index > one.commit_index:
            self._put_back[one.migration.id] = repeating
        if error is None:
            self._texts = standing
            return Exchange(())
        return Exchange((), replace(error, index=max(error.index - len(ending), 0) + one.seal_index))

    def _refuse_outside(self, one: Transaction, error: ServerError, part: Part, number: int | None) -> None:
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

    def _undoing(self, m: Migration, script: Script, recorded: Collection[str], *, look: bool = True) -> Transaction:
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
        undoes = hashes_of(m) if self._texts else frozenset()
        return one._replace(is_ourselves=True, is_around=bool(undoes), undoes=undoes)


def _without_first(outcome: Exchange) -> Exchange:
    """The outcome of all commands but the first, whose own failure gets the index -1."""
    error = outcome.error
    return Exchange(outcome.rows[1:], None if error is None else replace(error, index=error.index - 1))

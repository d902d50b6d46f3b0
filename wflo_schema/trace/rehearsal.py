"""Runs migrations in a scratch database, and asks behind each statement what it has done.

Hides how messages are told apart by statement, and what stands between two of them.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, Exchange, Row, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.replaying import unmarked
from wflo_schema.engine.parts import Part, set_local
from wflo_schema.engine.running import Run
from wflo_schema.engine.session import SETTLE
from wflo_schema.engine.stepwise import refuse_pooler
from wflo_schema.files.folder import Migration
from wflo_schema.files.listing import AFTER_EACH, BEFORE_EACH, REPEATABLE
from wflo_schema.files.mentions import Kind, asks_for_sizes, kind_of, mentioned, updated_columns
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.statements import runs_alone
from wflo_schema.trace.outside import Outside
from wflo_schema.trace.plans import Plan, read_plan
from wflo_schema.trace.reading import Done, Look, Relations, said_undecided
from wflo_schema.trace.values import HeldUntil, Traced

_LOCKED = Command(load_sql("trace", "locked"), keeps_rows=True, is_kept=True)
_COUNTED = Command(load_sql("trace", "counted"), keeps_rows=True, is_kept=True)
_RELATIONS = Command(load_sql("trace", "relations"), ("false",), keeps_rows=True, is_kept=True)
_RELATIONS_OF_SCHEMAS = _RELATIONS._replace(parameters=("true",))
_FIRES = Command(load_sql("trace", "fires"), keeps_rows=True, is_kept=True)
_KEYS = Command(load_sql("trace", "keys"), keeps_rows=True, is_kept=True)
# So that counters begin at nothing in the next transaction: they are written once the session is idle.
_FLUSH = Command("SELECT pg_catalog.pg_stat_force_next_flush()", is_kept=True)
# Since PostgreSQL 15 it can be told to; before, what was counted before a transaction is asked at its start.
_CAN_FLUSH = Command("SELECT pg_catalog.to_regproc('pg_catalog.pg_stat_force_next_flush') IS NOT NULL", keeps_rows=True)
_TALKATIVE = {"client_min_messages": "debug1"}
# Then it tells of each subtransaction, such as one whose error code has caught.
_TALK_OF_ALL = Command("SET LOCAL client_min_messages = debug5")
_TALK = Command("SET LOCAL client_min_messages = debug1")

# What DISCARD ALL does, but that prepared statements stay.
_CLEAR = tuple(
    map(
        Command,
        (
            "CLOSE ALL",
            "SET SESSION AUTHORIZATION DEFAULT",
            "RESET ALL",
            "UNLISTEN *",
            "SELECT pg_catalog.pg_advisory_unlock_all()",
            "DISCARD TEMP",
            "DISCARD SEQUENCES",
        ),
    )
)

_EXPLAIN = b"EXPLAIN (VERBOSE, COSTS OFF, FORMAT JSON) "
_BY_INDEX, _AS_BEFORE = Command("SET LOCAL enable_seqscan = off"), Command("SET LOCAL enable_seqscan = on")

# Their locks tell what they have gone through; where code of a trigger has given some back, they are undecided.
_OF_ROWS = frozenset({"UPDATE", "DELETE", "INSERT", "MERGE", "CREATE"})

_CHANGES = frozenset({"ALTER", "DROP", "REFRESH", "CLUSTER", "REINDEX"})

# What a statement that is no code says where it may validate a foreign key.
_MAY_VALIDATE = re.compile(rb"KEY|REFERENCES|VALIDATE|TYPE|ATTACH|ENFORCED", re.IGNORECASE)

_DETACHES = re.compile(r"\bDETACH\s+PARTITION\b", re.IGNORECASE)

# A statement cannot run within a transaction block; a procedure ends the transaction.
_NOT_INSIDE = frozenset({"25001", "2D000"})


@dataclass(slots=True)
class _Step:
    """One statement in an exchange: which commands are its own, and those that look at what it did."""

    part: Part
    number: int
    kind: Kind
    first: int
    """The first command that is of it: it, or what explains it."""
    run: int = 0
    plan: int | None = None
    locked: int = 0
    all: int | None = None
    counted: int | None = None
    fires: int | None = None
    keys: int | None = None
    last: int = 0

    @property
    def statement(self) -> Statement:
        return self.part.script.statements[self.number]


@dataclass(slots=True)
class _Commands:
    """What is sent in one exchange, with the steps in it.

    ``counted``: the index of what is counted before, where that must be asked.
    """

    commands: list[Command] = field(default_factory=list)
    steps: list[_Step] = field(default_factory=list)
    counted: int | None = None

    def add(self, *commands: Command) -> int:
        """Add some; return the index of the first."""
        self.commands += commands
        return len(self.commands) - len(commands)

    def add_step(self, part: Part, number: int, command: Command) -> _Step:
        """Add a statement, with what looks at it."""
        statement = part.script.statements[number]
        step = _Step(part, number, kind_of(statement), len(self.commands))
        if step.kind == "query" and command.data is None:
            self.add(_BY_INDEX)
            step.plan = self.add(Command(_EXPLAIN + command.sent, keeps_rows=True))
            self.add(_AS_BEFORE)
        may_catch = step.kind in ("code", "query")
        calls = step.kind == "code" or (step.kind == "query" and statement.first_word not in _OF_ROWS)
        if may_catch:
            self.add(_TALK_OF_ALL)
        step.run = self.add(command)
        if may_catch or _may_silence(statement):
            self.add(_TALK)
        step.locked = self.add(_LOCKED)
        if calls:
            step.counted = self.add(_COUNTED)
        if step.kind in ("code", "query", "insert", "copy from"):
            step.fires = self.add(_FIRES)
        if calls or (statement.first_word == "ALTER" and _MAY_VALIDATE.search(statement.raw)):
            step.keys = self.add(_KEYS)
        if step.kind in ("code", "names", "savepoint"):
            step.all = self.add(_RELATIONS_OF_SCHEMAS if step.kind == "code" else _RELATIONS)
        step.last = len(self.commands) - 1
        self.steps.append(step)
        return step


def _may_silence(statement: Statement) -> bool:
    return statement.first_word in ("RESET", "DISCARD") or b"client_min_messages" in statement.raw.lower()


class Rehearsal(Run):
    """A session in a scratch database: statements are traced as they run."""

    _outside: Outside | None = None
    _flush: tuple[Command, ...] = ()
    _answered = 0
    _sent_ahead: tuple[Migration, _Commands] | None = None
    """What was sent behind the current file."""
    _may_prepare = False
    """A file has said PREPARE, if only in a function."""

    def __init__(self, *args: Any, **options: Any) -> None:
        self._said: defaultdict[int, list[str]] = defaultdict(list)
        """The messages, by the command of the exchange that they came with."""
        super().__init__(*args, **options)
        self.relations = Relations()

    def get_ready(self) -> None:
        """Look at what is there."""
        self.pipeline.on_answer = self._count
        can_flush, relations = self.must([_CAN_FLUSH, _RELATIONS]).rows
        if can_flush[0][0] == "t":
            self._flush = (_FLUSH,)
            self.must(self._flush)
        self.relations = Relations(relations)

    def _count(self, succeeded: int) -> None:
        self._answered = succeeded

    def _notice(self, severity: str, message: str) -> None:
        if severity == "DEBUG":
            self._said[self._answered].append(message)

    def look_again(self) -> None:
        """Others have changed what is there: the engine has applied a migration."""
        rows = self.must([_RELATIONS, *self._flush]).rows[0]
        self.relations.replace(rows)

    def _close(self, *, is_clear: bool) -> None:
        if self._outside is not None:
            self._outside.close()
        super()._close(is_clear=is_clear)

    def rehearse(
        self, m: Migration, script: Script, behind: Callable[[], tuple[Migration, Script] | None] = lambda: None
    ) -> Iterator[Traced]:
        """Run one file with its hooks; yield each statement that was run, the last one with the error that ended it.

        ``behind`` is the file that is rehearsed next unless this one fails: it is sent before this one is read.
        """
        if m.is_transactional:
            yield from self._in_transaction(m, script, behind)
            return
        refuse_pooler(self, m)
        for part in self._all_parts(m, script):
            for traced in self._hook_alone(m, part) if part.hook else self._one_by_one(m, part):
                yield traced
                if traced.error:
                    return

    def rehearse_hook(self, name: str) -> list[Traced]:
        """Run a hook that has a transaction of its own."""
        hook = self._hook(name)
        return self._hook_alone(hook, self.part(hook, self.hooks[name], name))

    def _hook_alone(self, m: Migration, part: Part) -> list[Traced]:
        return self._read(m, self._send(m, [part]))

    def _all_parts(self, m: Migration, script: Script) -> tuple[Part, ...]:
        is_beside = m.id.startswith(f"{REPEATABLE}/")
        return (self.part(m, script),) if is_beside else self._parts(m, script, BEFORE_EACH, AFTER_EACH)

    def _in_transaction(
        self, m: Migration, script: Script, behind: Callable[[], tuple[Migration, Script] | None]
    ) -> list[Traced]:
        """Run a file in a transaction.

        What is sent behind it does not run where it fails: PostgreSQL refuses everything in a failed transaction.
        """
        ahead, self._sent_ahead = self._sent_ahead, None
        batch = ahead[1] if ahead is not None and ahead[0] is m else self._send(m, self._all_parts(m, script))
        if (one := behind()) is not None and one[0].is_transactional:
            self._sent_ahead = one[0], self._send(one[0], self._all_parts(*one))
        return self._read(m, batch)

    def _send(self, m: Migration, parts: Sequence[Part]) -> _Commands:
        batch = _Commands()
        self._begin(batch, m, is_session=False)
        if len(parts) > 1:
            batch.add(self.name_migration(m))
        for part in parts:
            done = -1
            for number, command in part.commands(self.command):
                if number is None or number == done:
                    batch.add(command)
                else:
                    batch.add_step(part, number, command)
                    done = number
        self._may_prepare |= any(b"PREPARE" in part.script.source.upper() for part in parts)
        clear = (DISCARD,) if self._may_prepare else _CLEAR  # where nothing else is prepared, our own may stay
        batch.add(SETTLE, *self.look_outside, *self._flush, COMMIT, *clear)
        self.pipeline.send(batch.commands)
        return batch

    def _receive(self) -> Exchange:
        self._answered, self._said = 0, defaultdict(list)
        return self.pipeline.receive()

    def _read(self, m: Migration, batch: _Commands) -> list[Traced]:
        """What was sent of a file has done this."""
        outcome = self._receive()
        found = self._found(m, batch, outcome)
        if outcome.error is None:
            self.relations.commit()
        else:
            self._sent_ahead = None
            self.settle(ROLLBACK)
            self.relations.roll_back()
            if not found or not found[-1][0].error:
                found.append(self._failed_at_end(m, batch, outcome.error))
        return self._with_fires(found)

    def _begin(self, batch: _Commands, m: Migration, *, is_session: bool) -> None:
        batch.add(BEGIN, *set_local(_TALKATIVE if is_session else {**self.settings(m), **_TALKATIVE}))
        batch.counted = None if self._flush else batch.add(_COUNTED)

    def _found(
        self, m: Migration, batch: _Commands, outcome: Exchange, held_until: HeldUntil = "commit"
    ) -> list[tuple[Traced, Done]]:
        error, rows, counted = outcome.error, outcome.rows, batch.counted
        self.relations.begin(rows[counted] if counted is not None and counted < len(rows) else ())
        found: list[tuple[Traced, Done]] = []
        for step in batch.steps:
            if error is not None and error.index <= step.last:
                if error.index >= step.first:
                    found.append((self._refused(m, step, error), Done()))
                break
            look = self._look(step, rows, held_until)
            done, gone = self.relations.read(look)
            done.fires = rows[step.fires] if step.fires is not None else ()
            if done.fires and done.changed and step.kind != "code":
                done.updated = updated_columns(step.statement)
            done.keys = rows[step.keys] if step.keys is not None else ()
            if any(gone.values()):
                found = [self._given_back(one, gone) for one in found]
            found.append((self._traced(m, step, done), done))
        return _with_since(found)

    def _given_back(self, one: tuple[Traced, Done], gone: dict[str, set[str]]) -> tuple[Traced, Done]:
        traced, done = one
        return (replace(traced, locks=done.locks), done) if done.give_back(gone, self.relations) else one

    def _look(self, step: _Step, rows: Sequence[tuple[Row, ...]], held_until: HeldUntil) -> Look:
        statement = step.statement
        plan: Plan | None = None
        if step.plan is not None:
            may_delete = b"DELETE" in statement.raw.upper()
            plan = read_plan("\n".join(row[0] or "" for row in rows[step.plan]), may_delete=may_delete)
        return Look(
            step.kind,
            rows[step.locked],
            (rows[step.all] or None) if step.all is not None else None,
            rows[step.counted] if step.counted is not None else None,
            plan,
            partial(mentioned, statement) if step.kind not in ("code", "savepoint") else tuple,
            self._said[step.run],
            held_until,
            is_change=statement.first_word in _CHANGES,
        )

    def _one_by_one(self, m: Migration, part: Part) -> Iterator[Traced]:
        """Each statement is a transaction of its own."""
        self.must([Command(f"SET {name} = {value}") for name, value in self.settings(m).items()])
        try:
            for number, statement in enumerate(part.script.statements):
                found = None if runs_alone(statement) else self._in_its_own(m, part, number)
                for traced in found if found is not None else self._outside_of_one(m, part, number):
                    yield replace(traced, is_alone=True)
                    if traced.error:
                        return
                if number in part.again:
                    self.must([Command(str(c.text).replace("SET LOCAL", "SET", 1)) for c in part.again[number]])
        finally:
            self.settle(ROLLBACK)

    def _in_its_own(self, m: Migration, part: Part, number: int) -> list[Traced] | None:
        """One statement in a transaction of its own; None where it cannot run in one."""
        batch = _Commands()
        self._begin(batch, m, is_session=True)
        batch.add_step(part, number, self.command(part.script.statements[number]))
        batch.add(SETTLE, *self.look_outside, *self._flush, COMMIT)
        self.pipeline.send(batch.commands)
        outcome = self._receive()
        if outcome.error is None:
            found = self._found(m, batch, outcome, "statement")
            self.relations.commit()
            return self._with_fires(found)
        self.must([ROLLBACK])
        if outcome.error.sqlstate in _NOT_INSIDE:
            return None
        found = self._found(m, batch, outcome, "statement")
        self.relations.roll_back()
        return [one for one, _ in found] or [self._failed_at_end(m, batch, outcome.error)[0]]

    def _outside_of_one(self, m: Migration, part: Part, number: int) -> list[Traced]:
        """A statement that cannot run in a transaction: what it waits for shows what it locks."""
        statement = part.script.statements[number]
        step = _Step(part, number, kind_of(statement), 0)
        if self._outside is None:
            self._outside = Outside(self.beside, self.ledger.backend_pid)
        self._answered, self._said = 0, defaultdict(list)
        tables = sorted(self.relations.tables_of(mentioned(statement)))
        seen = self._outside.watch(self.pipeline, self.command(statement), tables, self._flush)
        if seen.error is not None:
            self.must([ROLLBACK])
            return [self._refused(m, step, seen.error)]
        done = self._outside.read(self.relations, seen, self._said[seen.run])
        return [self._traced(m, step, done)]

    def traced(self, m: Migration, script: Script, number: int, done: Done) -> Traced:
        """One statement that the engine has run."""
        return self._traced(m, _Step(Part(script, {}), number, kind_of(script.statements[number]), 0), done)

    def _traced(self, m: Migration, step: _Step, done: Done) -> Traced:
        statement, script = step.statement, step.part.script
        undecided = said_undecided(done.read_by_code, is_code=step.kind == "code") if done.read_by_code else ""
        if not undecided and step.kind == "code" and asks_for_sizes(statement):
            undecided = "its code asks for sizes or statistics, which are those of empty tables here"
        if not undecided and done.caught_error:
            undecided = "its code caught an error: what it locked before that was given back, and is not seen"
        return Traced(
            m.id,
            script.path,
            statement.line,
            statement.column,
            step.number + 1,
            unmarked(statement.written),
            done.locks,
            done.rewrites,
            done.scans,
            done.builds,
            done.builds_on,
            done.changes,
            done.proven,
            undecided,
            hook=step.part.hook,
            is_transactional=m.is_transactional,
            made=done.made,
            source_line=unmarked(script.source_line(statement.line)),
        )

    def _refused(self, m: Migration, step: _Step, error: ServerError) -> Traced:
        """A statement that PostgreSQL refused, and where."""
        position = error.position
        if step.plan is not None and error.index == step.plan:
            position = max(position - len(_EXPLAIN), 0)
        script = step.part.script
        location = step.statement.location(script.path, position)
        traced = self._traced(m, step, Done())
        line = script.source_line(location.line)
        return replace(
            traced,
            error=unmarked(error.message),
            error_line=location.line,
            error_column=len(unmarked(line[: location.column - 1])) + 1,
            sqlstate=error.sqlstate,
            detail=unmarked(error.detail),
            hint=error.hint,
            source_line=unmarked(line),
        )

    def _failed_at_end(self, m: Migration, batch: _Commands, error: ServerError) -> tuple[Traced, Done]:
        """What failed behind the last statement, such as a deferred constraint."""
        self.refuse_outside(batch.steps[-1].part.script, error, None)
        traced = self._traced(m, batch.steps[-1], Done())
        return replace(traced, error=f"at its end: {error.message}", detail=error.detail, hint=error.hint), Done()

    def _with_fires(self, found: list[tuple[Traced, Done]]) -> list[Traced]:
        """The statements, with what runs for each row that they change."""
        found = self._with_referenced(found)
        return [_fired(one, done, self.relations) if done.changed else one for one, done in found]

    def _with_referenced(self, found: list[tuple[Traced, Done]]) -> list[tuple[Traced, Done]]:
        """The statements; to what they validate keys of, the tables that these point to: they are read as well."""
        with_them = []
        made = {name for one, _ in found for name in one.made}
        for one, done in found:
            if one.scans and _DETACHES.search(one.text):  # each row of these is looked up in what is detached
                detached = {k.relation for k in one.locks if k.stops_reads and k.kind == "table"}
                one = replace(one, scans=tuple(sorted({*one.scans, *detached})))
            if not done.validated:
                with_them.append((one, done))
                continue
            gone_through = {*one.scans, *one.rewrites}
            of = {
                self.relations.name_of(other or "")
                for name, table, other in done.keys
                if name in done.validated
                and self.relations.name_of(table or "") in gone_through
                and self.relations.has_rows(other or "")
            }
            scans = (*one.scans, *sorted(filter(None, of.difference(gone_through, made))))
            with_them.append((replace(one, scans=scans), done))
        return with_them


def _with_since(found: list[tuple[Traced, Done]]) -> list[tuple[Traced, Done]]:
    """The statements of one transaction, with where those locks were taken that one takes again."""
    first: dict[tuple[str, str, str], int] = {}
    with_them = []
    for one, done in found:
        locks = tuple(replace(k, since_line=first.get((one.file, k.relation, k.mode))) for k in one.locks)
        for k in locks:
            if k.held_until != "rollback":
                first.setdefault((one.file, k.relation, k.mode), one.line)
        with_them.append((replace(one, locks=locks), done))
    return with_them


# What a key does when a row that it points to goes, or gets another key.
_ACTIONS = {"c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_UPDATED = 16
_EVENTS = {"INSERT": 4, "DELETE": 8, "UPDATE": 16, "UPSERT": 20, "MERGE": 28, "": 28}


def _fired(one: Traced, done: Done, relations: Relations) -> Traced:
    """The statement with what PostgreSQL does for each row that it changes."""
    fires: list[str] = []
    undecided: list[str] = []
    locks = {lock.relation: lock for lock in one.locks}
    changes, scans = list(one.changes), list(one.scans)
    # a view has other names for columns
    updated = None if any(lock.kind == "view" for lock in one.locks) else done.updated
    for of, what, name, other, on_delete, on_update, events, is_indexed, columns in done.fires:
        keeps_it = updated is not None and columns is not None and updated.isdisjoint(json.loads(columns))
        operations = {operation for operation, oid in done.changed if oid == of}
        if not operations:
            continue
        table = relations.name_of(of or "")
        if what == "trigger":
            fired_by = int(events or 0) & ~(_UPDATED if keeps_it else 0)
            if any(fired_by & _EVENTS.get(operation, 28) for operation in operations):
                fires.append(f"trigger {name} of {table}")
                if done.has_rows and operations == {"INSERT"}:
                    continue
                undecided.append(f"trigger {name} of {table} runs for each row, and there were none")
            continue
        deletes, updates = operations & {"DELETE", "MERGE", ""}, operations & {"UPDATE", "UPSERT", "MERGE", ""}
        updates = set() if keeps_it else updates
        action = _ACTIONS.get(on_delete or "") if deletes else _ACTIONS.get(on_update or "") if updates else None
        elsewhere = relations.name_of(other or "")
        if not elsewhere or not (deletes or action):
            continue
        fires.append(f"key {name} of {elsewhere}" + (f": {action}" if action else ""))
        mode = "RowExclusiveLock" if action else "RowShareLock"
        if elsewhere not in locks:
            locks[elsewhere] = relations.lock(other or "", mode, "statement" if one.is_alone else "commit")
        if action:
            changes.append(elsewhere)
        if is_indexed != "true" and is_indexed != "t":
            scans.append(elsewhere)
    return replace(
        one,
        locks=tuple(sorted(locks.values(), key=lambda lock: lock.relation)),
        changes=tuple(dict.fromkeys(changes)),
        scans=tuple(dict.fromkeys(scans)),
        fires=tuple(fires),
        undecided=one.undecided or "; ".join(undecided),
    )

"""A run that is written down: what it sends where that depends on what it is answered.

Hides that some of what is sent only asks, is taken back, or is there for a replay alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from wflo_schema.connect.pipeline import BEGIN, DISCARD, FLUSH, ROLLBACK, Command, Exchange, Row, array
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.repeatables import named, named_everywhere, read_texts
from wflo_schema.engine.running import Run
from wflo_schema.engine.session import Session
from wflo_schema.engine.transaction import Transaction
from wflo_schema.errors import Refused
from wflo_schema.files.folder import Migration
from wflo_schema.files.script import Script

# Names of what is no migration's.
REPEATED, TOGETHER = "repeatable files", "one transaction"

_SAVEPOINT = re.compile(rb"(SAVEPOINT|ROLLBACK TO SAVEPOINT|RELEASE SAVEPOINT) (wflo_schema_\w+)\Z")


@dataclass(frozen=True, slots=True)
class Made:
    """What bears these names, as a digest: with its columns, and all that it was given besides."""

    names: tuple[str, ...]
    digest: str


@dataclass(frozen=True, slots=True)
class Unit:
    """What was sent from a BEGIN until the session was cleared, and what repeatable files have made then."""

    commands: tuple[Command, ...]
    made: Made
    applied: tuple[str, ...] = ()
    """Ids of the repeatable files that were applied, which are no part of a migration."""
    has_taken_down: bool = False
    """Of what repeatable files made something is not there any more."""


@dataclass(slots=True)
class Recorder:
    """What a run has sent: by migration where that was not only what its file says, and by `REPEATED`, `TOGETHER`."""

    units: dict[str, Unit] = field(default_factory=dict)

    def watch(self) -> type[Run]:
        """A session that writes down what it sends."""

        class Recorded(_Recording):
            recorder = self

        return Recorded


def read_made(run: Session, names: Iterable[str]) -> Made:
    """What bears these names now.  Raise `DatabaseError`."""
    wanted = tuple(sorted(set(names)))
    rows = run.must([BEGIN, ask_for(wanted), Command(digest_of_made(), keeps_rows=True)]).rows[-1]
    run.settle(ROLLBACK)
    return Made(wanted, rows[0][0] or "")


def ask_for(names: Sequence[str]) -> Command:
    """What comes before the query of a digest: names are written out in it, whatever the search_path."""
    return Command(
        "SELECT pg_catalog.set_config('search_path', '', TRUE), pg_catalog.set_config('wflo_schema.names', $1, TRUE)",
        (array(names),),
    )


def digest_of_made() -> str:
    """The query of a digest, behind `ask_for`."""
    there = named_everywhere().replace("$1", "pg_catalog.current_setting('wflo_schema.names')")
    of_all = "(SELECT pg_catalog.array_agg(n.{} ORDER BY n.objid, n.classid) FROM named AS n)"
    kept = load_sql("engine", "things_kept")
    kept = kept.replace("$1", of_all.format("classid")).replace("$2", of_all.format("objid"))
    query = load_sql("engine", "things_digest").replace("{named}", there).replace("{kept}", kept)
    return re.sub(r"^\s*--.*\n", "", query, flags=re.MULTILINE)


def giving(run: Session, other: Session, names: Sequence[str]) -> list[str]:
    """The statements that give what bears these names the owners and grants in another database that it has here."""

    def ask(of: Session, query: str) -> Sequence[Row]:
        things = named(of.pipeline, names)
        places = array(t.classid for t in things), array(t.objid for t in things)
        return of.must([Command(query, places, keeps_rows=True)]).rows[-1]

    kept = ask(run, load_sql("engine", "things_kept"))
    taken = [row[-1] or "" for row in ask(other, load_sql("engine", "things_given"))]
    owners, grants = ([row[-1] or "" for row in kept if row[2] == what] for what in ("owner", "grant"))
    return [*owners, *taken, *grants]


class _Tape:
    """What was sent and stays."""

    def __init__(self) -> None:
        self._commands: list[Command] = []
        self._marks: list[tuple[bytes, int]] = []
        self.left_out: tuple[Command, ...] = ()
        self.written: dict[bytes, bytes] = {}
        """By what is sent in a replay: what the file says."""
        self.sources: dict[str | None, str] = {}

    def around(self, exchange: Callable[[Iterable[Command]], Exchange]) -> Callable[[Iterable[Command]], Exchange]:
        """The same, written down."""

        def taped(commands: Iterable[Command]) -> Exchange:
            sent: list[Command] = []

            def passing() -> Iterator[Command]:
                for command in commands:
                    if command is not FLUSH:
                        sent.append(command)
                    yield command

            outcome = exchange(passing())
            for command in sent if outcome.error is None else sent[: max(outcome.error.index, 0)]:
                self._add(command)
            return outcome

        return taped

    def clear(self) -> None:
        """Forget it."""
        self._commands, self._marks = [], []

    def take(self) -> tuple[Command, ...]:
        """What was sent since it was cleared; and forget it."""
        commands = tuple(self._commands)
        self.clear()
        return commands

    def _add(self, command: Command) -> None:
        if command == ROLLBACK:
            self.clear()
        elif found := _SAVEPOINT.match(command.sent):
            self._mark(found[1], found[2])
        elif command == DISCARD and not self._commands:
            pass  # it was cleared behind what was taken back
        elif not (command.keeps_rows or command.is_only_parsed or command in self.left_out):
            text = self.written.get(command.sent, command.text)
            parameters = tuple(self.sources.get(value, value) for value in command.parameters)
            self._commands.append(command._replace(text=text, parameters=parameters))

    def _mark(self, word: bytes, name: bytes) -> None:
        """A savepoint of ours: where nothing is taken back it does nothing."""
        if word == b"SAVEPOINT":
            self._marks.append((name, len(self._commands)))
            return
        place = max(n for n, (other, _) in enumerate(self._marks) if other == name)
        if word == b"ROLLBACK TO SAVEPOINT":
            del self._commands[self._marks[place][1] :]
            place += 1
        del self._marks[place:]


class _Recording(Run):
    """A run in a database that stands for another: what it sends there would be sent in the other one."""

    recorder: Recorder
    _is_around = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._tape = _Tape()
        vars(self.pipeline)["exchange"] = self._tape.around(self.pipeline.exchange)

    def loader(self, load: Callable[[Migration], Script]) -> Callable[[Migration], Script]:
        """The same, and what is sent here in place of what a file says is told apart."""
        confined = super().loader(load)
        self._tape.left_out = self.look_outside

        def reading(m: Migration) -> Script:
            script = confined(m)
            written = script if self.confinement is None else load(m)
            if script.source != written.source:
                self._note(m, script, written)
            return script

        return reading

    def _note(self, m: Migration, script: Script, written: Script) -> None:
        if len(script.statements) != len(written.statements):
            raise Refused(f"a statement of {m.id} reaches outside of the database, and cannot be rehearsed")
        pairs = zip(script.statements, written.statements, strict=True)
        self._tape.written.update((self.command(one).sent, self.command(other).sent) for one, other in pairs)
        self._tape.sources[script.source.decode()] = written.source.decode()

    def _keep(self, name: str, applied: Sequence[str] = ()) -> None:
        commands = self._tape.take()
        texts = read_texts(self.pipeline, self.ledger)
        made = read_made(self, (t.name for of_one in texts.values() for t in of_one[-1].made))
        is_down = any(of_one[-1].is_down for of_one in texts.values())
        self.recorder.units[name] = Unit(commands, made, tuple(applied), is_down)

    def _apply(self, one: Transaction, following: object, *, is_sent: bool) -> None:
        is_flushed = self._transaction(one)
        self.finished(one.migration, "apply", len(one.script.statements), is_flushed=is_flushed)

    def _around(self, one: Transaction) -> Exchange:
        self._is_around = True
        return super()._around(one)

    def _transaction(self, one: Transaction, outcome: Exchange | None = None) -> bool:
        self._tape.clear()
        self._is_around = False
        is_flushed = super()._transaction(one, outcome)
        if self._is_around:
            self._keep(one.migration.id)
        return is_flushed

    def start_ledger(self, lock_timeout_ms: int | None = None) -> tuple[Command, ...]:
        """The same, and it is written down from here."""
        self._tape.clear()
        return super().start_ledger(lock_timeout_ms)

    def _end_repeating(self, repeating: Any, commands: Sequence[Command]) -> bool:
        is_flushed = super()._end_repeating(repeating, commands)
        self._keep(REPEATED, [one.id for one, _ in repeating.applied])
        return is_flushed

    def _as_one(self, targets: Sequence[Migration], *args: Any, **options: Any) -> None:
        self._tape.clear()
        super()._as_one(targets, *args, **options)
        self._keep(TOGETHER)

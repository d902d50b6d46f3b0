"""Applies repeatable files within a transaction that is open, in the order that PostgreSQL's own catalogs tell.

A file is tried as it is.  Where something that it needs is not there yet, it waits for the others; where PostgreSQL
cannot replace what is there, that and what depends on it is taken down and made again, each with what it was given
besides: owner, grants, comments, options, indexes.  Hides `pg_depend`.
"""

from __future__ import annotations

import itertools
import re
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from wflo_schema.connect.pipeline import Command, Exchange, ServerError, array
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.repeatables import (
    Kept,
    Named,
    Place,
    Text,
    Thing,
    forget_command,
    is_text_of,
    named_command,
    named_of,
    place_of,
    write_command,
)
from wflo_schema.engine.session import MISSING, RETRIED, Session, failure
from wflo_schema.engine.values import record_commands
from wflo_schema.errors import Refused, WfloSchemaError
from wflo_schema.files.creations import Creation, Touched, creations, is_plain
from wflo_schema.files.folder import Migration
from wflo_schema.names import quote_always
from wflo_schema.words import listed

if TYPE_CHECKING:
    from wflo_schema.files.script import Script, Statement

# It is there already, or cannot be replaced by this: other columns, another return type, what depends on it.
IN_THE_WAY = frozenset({"42P16", "42P13", "42P07", "42723", "42710", "42809", "2BP01", "0A000"})

_SAVEPOINT = Command("SAVEPOINT wflo_schema_file")
_BACK = Command("ROLLBACK TO SAVEPOINT wflo_schema_file")
_RELEASE = Command("RELEASE SAVEPOINT wflo_schema_file")

# The place of files that were never applied: behind all that were.
_BEHIND = 1 << 30

# A name in a file, or a part of one.
_WORD = re.compile(rb"[\w$]+")

# Files that are sent in one exchange: so many at first, and twice as many each time that none is refused.
_FEWEST_AT_ONCE = 4
# A view that is made and taken back, to see which columns it gets.
_TRIED = "wflo_schema_tried"

Key = tuple[str, str]

# In a shape: behind the name of a column, and between two columns.
COLUMN, BETWEEN = "\x1f", "\x1e"

# What is made of a relation; what else is kept of one is about these.
_PARTS = ("index", "statistics", "trigger", "rule")

# What DROP says of a type where PostgreSQL's own name of it is another.
_WORDS = {"statistics object": "STATISTICS"}


class Locked(Exception):
    """Only a lock is in the way of a file: the transaction is to be tried again."""

    def __init__(self, m: Migration, script: Script, error: ServerError, number: int | None) -> None:
        super().__init__(error.message)
        self.m, self.script, self.error, self.number = m, script, error, number


class _Refusal(NamedTuple):
    """What PostgreSQL said of a file, in which statement (from 0), or of what it is given besides (``what``)."""

    error: ServerError
    number: int | None
    what: str = ""


class NotApplied(Exception):
    """A file was refused; `error` makes the error of it, once the transaction is over."""

    def __init__(self, file: File, refused: _Refusal, *, outside: Sequence[str] = (), circle: Sequence[str] = ()):
        super().__init__(refused.error.message)
        self._file, self._refused, self._outside, self._circle = file, refused, tuple(outside), tuple(circle)

    def error(self, run: Session, *, behind: str = "") -> WfloSchemaError:
        """What a user is told; ``behind``: the migration for which it was taken down, or that was rolled back."""
        m, script, refused = self._file.migration, self._file.script, self._refused
        if self._outside:
            which = listed(self._outside)
            return failure(
                f"{m.id} cannot be replaced: {refused.error.message}; and {which}, which no repeatable file makes, "
                "depends on it",
                f"make {which} in a repeatable file, too, or drop it in a migration",
                m,
                script,
                statement=None if refused.number is None else script.statements[refused.number],
                error=refused.error,
            )
        places = [f"when it was put back behind {behind}"] if behind else []
        places += [f"when it was given back what it had ({refused.what})"] if refused.what else []
        error = run.failed(m, script, refused.error, refused.number, place=", ".join(places))
        if refused.what and refused.error.sqlstate in MISSING:
            error.hint = "drop that in a migration, or make it in this file as it is to be now; nothing was kept"
        elif behind and refused.error.sqlstate in MISSING:
            error.hint = (
                f"{m.id} is made from what {behind} takes away: change both in one release; "
                f"nothing of {behind} was kept"
            )
        if self._circle:
            error.not_tried = ()
            error.hint = f"{listed(self._circle)} need each other, so none of them can be made first\n{error.hint}"
        return error


class Hindered(Exception):
    """PostgreSQL refused what was to make room for a file or a migration: the statement, and what it said."""

    def __init__(self, statement: str, error: ServerError) -> None:
        super().__init__(error.message)
        self.statement = statement
        self.error = replace(error, message=f"{error.message} ({statement})")


@dataclass
class _Lowered:
    """What was taken down: its name, its place in the catalogs then, and what it must be given again."""

    name: str
    objid: str
    kept: tuple[Kept, ...]


@dataclass(frozen=True, slots=True)
class File:
    """A repeatable file as it is to be applied: its text of today, or one that the ledger kept."""

    migration: Migration
    script: Script
    makes: tuple[Creation, ...] = field(repr=False)

    @classmethod
    def of(cls, migration: Migration, script: Script) -> File:
        """With what it makes."""
        return cls(migration, script, creations(script))

    @property
    def id(self) -> str:
        """``repeatable/NAME``."""
        return self.migration.id

    @property
    def names(self) -> frozenset[str]:
        """Of what it makes."""
        return frozenset(c.name for c in self.makes if not c.is_part)

    @property
    def parts(self) -> frozenset[str]:
        """Names of what it makes of something: of indexes."""
        return frozenset(c.name for c in self.makes)

    @property
    def goes_anywhere(self) -> bool:
        """May it make something elsewhere than it says?"""
        return not self.script.once(is_plain)


class Files(Mapping[str, File]):
    """The files of today by id, each read when it is asked for."""

    def __init__(self, migrations: Sequence[Migration], load: Callable[[Migration], Script]) -> None:
        self._migrations = {m.id: m for m in migrations}
        self._load = load
        self._loaded: dict[str, File] = {}

    def __getitem__(self, id_: str) -> File:
        if id_ not in self._loaded:
            m = self._migrations[id_]
            self._loaded[id_] = File.of(m, self._load(m))
        return self._loaded[id_]

    def __iter__(self) -> Iterator[str]:
        return iter(self._migrations)

    def __len__(self) -> int:
        return len(self._migrations)

    def __contains__(self, id_: object) -> bool:
        return id_ in self._migrations


class Repeating:
    """The set of repeatable files in one open transaction of a run.

    ``texts`` are those that the ledger has, ``files`` those of today, by id; ``between`` gives the statements that
    begin a file, ``after`` is the hash of the last migration that is applied.
    """

    def __init__(
        self,
        run: Session,
        texts: Mapping[str, Sequence[Text]],
        *,
        files: Mapping[str, File],
        between: Callable[[Migration], Sequence[Command]],
        after: str,
    ) -> None:
        self._run = run
        self._between = between
        self._after = after
        self.files = files
        self.texts: dict[str, list[Text]] = {i: list(of_one) for i, of_one in texts.items()}
        standing = [(_key(t), t.name, id_) for id_, of_one in self.texts.items() for t in of_one[-1].made]
        self._owners: dict[Key, str] = {key: id_ for key, _, id_ in standing}
        self._names: dict[Key, str] = {key: name for key, name, _ in standing}
        self._places: dict[str, set[Place]] = {}
        """By names: where that is which bears them, as far as files tell."""
        for key, name, _ in standing:
            self._places.setdefault(name, set()).add(place_of(key[1]))
        self._parts: set[Key] = set()
        """What goes with something that it belongs to, such as a rule of a view: it may be dropped with that."""
        self._due: tuple[Creation, ...] = ()
        """What files make that were never applied, and are to be applied now."""
        self._claimed: frozenset[Key] = frozenset()
        """What no file has made yet, and a file that is being applied makes anew: it becomes that file's."""
        self._lowered: dict[Key, _Lowered] = {}
        self.down: set[str] = set()
        """Ids of files of which something is taken down."""
        for id_, of_one in self.texts.items():
            if of_one[-1].is_down:
                self.down.add(id_)
                for kept in of_one[-1].kept:
                    key = kept.type, kept.identity
                    lowered = self._lowered.setdefault(key, _Lowered(self._names.get(key, ""), "", ()))
                    lowered.kept = (*lowered.kept, kept)
        self.applied: list[tuple[File, int]] = []
        """What was applied, each with the number of its text."""
        self._made: dict[str, tuple[Named, ...]] = {}
        self._shapes: dict[Key, str] = {}
        self._guessed: dict[str, int] = {}
        """The place of what was never applied, among others of its kind."""
        self._at_once = _FEWEST_AT_ONCE
        """So many files are sent in one exchange."""
        self.going: frozenset[str] = frozenset()
        """Ids of files of which what they made is to be dropped: it is not made again."""
        self._owed: list[Command] = []
        """What is sent before the next commands, to save a round trip: it does not fail."""
        self._spent_s: dict[str, float] = {}
        self._back: dict[str, Text] = {}
        """Former texts that are put back."""

    def spent_ms(self, id_: str) -> float:
        """How long a file was run, every time that it was tried."""
        return self._spent_s.get(id_, 0.0) * 1000

    @property
    def anew(self) -> frozenset[str]:
        """Ids of files that were applied with another text than before."""
        return frozenset(
            f.id for f, number in self.applied if f.id not in self.texts or number > self.texts[f.id][-1].number
        )

    # asking

    def _ask(self, query: str, *parameters: str | None) -> tuple[tuple[str, ...], ...]:
        command = Command(query, parameters, keeps_rows=True, is_kept=self._run.is_direct)
        return tuple(tuple(value or "" for value in row) for row in self._must([command]).rows[-1])

    def _must(self, commands: Sequence[Command]) -> Exchange:
        owed, self._owed = self._owed, []
        outcome = self._run.pipeline.exchange([*owed, *commands])
        error = outcome.error
        if error is not None and (error.keeps_waiting or error.sqlstate in RETRIED):
            raise Hindered("looking at what is there", error)
        return self._run.expected(outcome)

    def _exchange(self, commands: Sequence[Command]) -> Exchange:
        """Their outcome.  What is owed comes first, and is not counted."""
        owed, self._owed = self._owed, []
        outcome = self._run.pipeline.exchange([*owed, *commands])
        error = outcome.error and replace(outcome.error, index=max(outcome.error.index - len(owed), 0))
        return Exchange(outcome.rows[len(owed) :], error)

    def _named(self, names: Iterable[str]) -> tuple[Named, ...]:
        wanted = sorted(set(names))
        if not wanted:
            return ()
        return self._seen(self._must([self._ask_named(wanted)]).rows[-1])

    def _ask_named(self, names: Collection[str], *, or_ours: bool = False) -> Command:
        """Ask for what bears these names where files have made it or make it, or what was made now, too."""
        places = {place for name in names for place in self._places.get(name, ())}
        return named_command(names, places, or_ours=or_ours, is_kept=self._run.is_direct)

    def _expect(self, makes: Iterable[Creation]) -> None:
        """Look for what statements make where they say."""
        for c in makes:
            self._places.setdefault(c.name, set()).add(Place(c.schema, c.relation))

    def _seen(self, rows: Sequence[Sequence[str | None]]) -> tuple[Named, ...]:
        found = named_of(rows)
        self._names.update({n.key: n.name for n in found})
        return found

    def _owned(self, *ids: str) -> tuple[Named, ...]:
        """What the standing texts of these files have made, and is there."""
        things = [t for i in ids if i in self.texts for t in self.texts[i][-1].made]
        there = {n.key: n for n in self._named(t.name for t in things)}
        return tuple(there[t.type, t.identity] for t in things if (t.type, t.identity) in there)

    # taking down

    def take_down(self, things: Sequence[Named]) -> bool:
        """Drop these and what depends on them, and remember what they were given.  Was there anything?

        Raise `Refused` where something that no repeatable file made depends on them.
        """
        if not things:
            return False
        below = self._below([(n.classid, n.objid) for n in things], None)
        own = [n.place for n in things]
        self._drop([*below, *own], of=" and ".join(f"{n.type} {n.identity}" for n in things))
        return True

    def take_down_for(self, touched: Touched) -> bool:
        """Drop what depends on something that a migration alters or drops.  Was there anything?"""
        if touched.is_relation:
            name = ".".join(quote_always(part) for part in (touched.schema, touched.name) if part)
            rows = self._ask("SELECT 'pg_catalog.pg_class'::regclass::oid, to_regclass($1)::oid", name)
            seeds = [(c, o) for c, o in rows if o]
        else:
            self._places.setdefault(touched.name, set()).add(Place(touched.schema))
            seeds = [(n.classid, n.objid) for n in self._named([touched.name])]
        if not seeds:
            return False
        below = self._below(seeds, touched.columns or None)
        self._drop([one for one in below if (one[0], one[1]) not in seeds], of=touched.name)
        return bool(below)

    def _below(
        self, seeds: Sequence[tuple[str, str]], columns: Sequence[str] | None
    ) -> list[tuple[str, str, str, str]]:
        """What would have to be dropped with these, what goes by itself left out, the furthest first."""
        rows = self._ask(
            load_sql("engine", "things_dependents"),
            array(c for c, _ in seeds),
            array(o for _, o in seeds),
            None if columns is None else array(columns),
        )
        self._parts.update((t, i) for _, _, t, i, is_part, _ in rows if is_part == "t")
        return [(c, o, t, i) for c, o, t, i, _, goes_too in rows if goes_too != "t" or (t, i) in self._owners]

    def _drop(self, things: Sequence[tuple[str, str, str, str]], *, of: str) -> None:
        there: dict[Key, tuple[str, str, str, str]] = {(t, i): (c, o, t, i) for c, o, t, i in things}
        known = self._owners.keys() | self._claimed | self._parts
        outside = [f"{t} {i}" for (t, i) in there if (t, i) not in known and not self._is_due(t, i)]
        if outside:
            raise Outside(outside, of)
        self.remember(list(there.values()))
        self.down.update(self._owners[key] for key in there if key in self._owners and key not in self._claimed)
        self._do([f"DROP {_WORDS.get(t, t.upper())} {i}" for _, _, t, i in there.values()])

    def _is_due(self, type_: str, identity: str) -> bool:
        """Is it there by some other hand, and will a file that is still to be applied make it?"""
        there = [n for n in self._named(c.name for c in self._due) if n.key == (type_, identity)]
        return any(_is_meant(n, c) for n in there for c in self._due)

    def _do(self, statements: Sequence[str]) -> None:
        """Run these.  Raise `Hindered`."""
        error = self._exchange([Command(one) for one in statements]).error if statements else None
        if error is not None:
            raise Hindered(statements[error.index], error)

    def make_room(self, statement: Statement, error: ServerError) -> bool:
        """Take down what PostgreSQL says is in the way of a statement.  Was there anything?  Raise `Outside`."""
        from wflo_schema.files.creations import touched

        return any(self.take_down_for(t) for t in touched(statement)) or self.take_down_named(error.detail)

    def take_down_named(self, said: str) -> bool:
        """Drop of what the files have made whatever PostgreSQL has named.  Was there anything?"""
        things = [n for n in self._owned(*self.texts) if is_named(n.name, said)]
        try:
            return self.take_down(things)
        except Outside:
            return False

    def remember(self, things: Sequence[tuple[str, str, str, str]]) -> None:
        """Keep what these have been given besides, for when they are made again."""
        classes, objects = array(c for c, *_ in things), array(o for _, o, *_ in things)
        kept: dict[Key, list[Kept]] = {}
        for row in self._ask(load_sql("engine", "things_kept"), classes, objects):
            kept.setdefault((row[0], row[1]), []).append(Kept(*row))
        for _, objid, type_, identity in things:
            key = type_, identity
            self._lowered[key] = _Lowered(self._names.get(key, ""), objid, tuple(kept.get(key, ())))

    def remember_all(self) -> None:
        """The same for all that the files have made: what is dropped with CASCADE is not seen before it is gone."""
        everything = [n.place for n in self._owned(*self.texts)]
        if everything:
            self.remember(everything)

    def look_for_lost(self) -> None:
        """Mark those files of which something is not there any more."""
        there = {n.key for n in self._named(t.name for of_one in self.texts.values() for t in of_one[-1].made)}
        self.down.update(id_ for key, id_ in self._owners.items() if key not in there)

    # applying

    def apply(self, files: Sequence[File]) -> None:
        """Apply these, each once what it needs is there, and again what was taken down for one of them.

        Raise `MigrationFailed` for a file that PostgreSQL refuses, `Refused` where two make the same thing, `Locked`.
        """
        known = {f.id: f for f in files}
        self._guess_order([f for f in files if f.id not in self.texts])
        queue = deque(sorted(files, key=self._place))
        self._due = tuple(c for f in files if f.id not in self.texts for c in f.makes if not c.is_part)
        self._expect(self._due)
        waiting: dict[str, tuple[File, _Refusal]] = {}
        has_moved = False
        asked: set[tuple[str, str]] = set()
        runs: dict[str, int] = {}
        while queue or (waiting and has_moved):
            if not queue:
                queue.extend(f for f, _ in waiting.values())
                waiting.clear()
                has_moved = False
            if self._apply_many(queue, runs):
                has_moved = True
                continue
            one = queue.popleft()
            runs[one.id] = runs.get(one.id, 0) + 1
            refused = self._until_nothing_is_in_the_way(one)
            if refused is None:
                has_moved = True
            elif refused.error.sqlstate in MISSING and runs[one.id] <= len(known) + 1:
                said = refused.error.message
                first = [
                    f for f in queue if (one.id, f.id) not in asked and any(is_named(name, said) for name in f.names)
                ]
                if first:  # what it lacks is made by these
                    asked.update((one.id, f.id) for f in first)
                    others = [f for f in queue if f not in first]
                    queue = deque([*first, one, *others])
                else:
                    waiting[one.id] = one, refused
            else:
                raise NotApplied(one, refused)
            again = self.down - self.going - {f.id for f in queue} - waiting.keys() - {one.id}
            queue.extend(sorted((known.setdefault(i, self._recorded(i)) for i in again), key=self._place))
        if waiting:
            raise self._stuck(list(waiting.values()))
        self._settle_order(known)

    def _apply_many(self, queue: deque[File], runs: dict[str, int]) -> bool:
        """Apply the first of the queue in one exchange, as many as went well before; say whether any was applied.

        What was refused is tried by itself, once it is the first.
        """
        files = list(itertools.takewhile(self._is_simple, itertools.islice(queue, self._at_once)))
        names = [name for f in files for name in f.names]
        if len(files) < _FEWEST_AT_ONCE or len(names) != len(set(names)):
            return False
        for f in files:
            self._expect(f.makes)
        run, look = self._run, self._ask_named(sorted(names), or_ours=any(f.goes_anywhere for f in files))
        run.start(files[0].migration, files[0].script, goes_on=True)
        began = time.monotonic()
        commands: list[Command] = [*self._between(files[0].migration), look]
        ends = []
        for f in files:
            commands += [*self._between(f.migration), _SAVEPOINT, *map(run.command, f.script.statements), _RELEASE]
            ends.append(len(commands))
        outcome = self._exchange([*commands, look])
        error = outcome.error
        done = files if error is None else files[: sum(end <= error.index for end in ends)]
        if error is not None:
            self._owed = [_BACK, _RELEASE]
            if run.stop.is_requested:
                raise run.stopped("the repeatable files were rolled back")
            if error.sqlstate in RETRIED and len(done) < len(files):
                raise Locked(files[len(done)].migration, files[len(done)].script, error, None)
            if error.keeps_waiting and len(done) < len(files):
                behind = len(files[len(done)].script.statements) - ends[len(done)] + error.index + 1
                raise NotApplied(files[len(done)], _Refusal(error, max(behind, 0)))
        self._at_once = self._at_once * 2 if error is None else _FEWEST_AT_ONCE
        if not done:
            return False
        before = {n.key: n.version for n in self._seen(outcome.rows[commands.index(look)])}
        there = self._seen(self._must([look]).rows[-1] if error else outcome.rows[-1])
        there = self._with_moved({f.id: f.makes for f in done if not f.goes_anywhere}, there, before)
        spent_s = (time.monotonic() - began) / len(done)
        for f in done:
            runs[f.id] = runs.get(f.id, 0) + 1
            self._spent_s[f.id] = self._spent_s.get(f.id, 0.0) + spent_s
            self._note(f, [n for n in there if n.name in f.names], before)
            queue.popleft()
        return True

    def _is_simple(self, one: File) -> bool:
        """Is nothing to be taken down for it first, and nothing to be given back behind it?"""
        return (
            one.migration.lock_timeout_ms is None
            and not any(c.keeps_old for c in one.makes)
            and b"DROP" not in one.script.source.upper()
            and not one.names & {of.name for of in self._lowered.values()}
            and not any(s.data for s in one.script.statements)
            and not self._run.set_again(one.migration, one.script)
        )

    def _guess_order(self, files: Sequence[File]) -> None:
        """Let a file come behind those whose names it mentions, so that few are tried in vain."""
        needs = _mentioned(files)
        self._guessed.update(_depths(needs, needs))

    def _place(self, one: File) -> tuple[int, str]:
        if one.id in self.texts:
            return self.texts[one.id][-1].position, one.id
        return _BEHIND + self._guessed.get(one.id, 0), one.id

    def _recorded(self, id_: str) -> File:
        """The file of today, or its text as the ledger has it."""
        if id_ in self._back:
            return recorded_file(self._back[id_])
        return self.files[id_] if id_ in self.files else recorded_file(self.texts[id_][-1])

    def put_back(self, *, must: bool) -> None:
        """Make again what was taken down, as the files are today, or else as they were.

        Unless it ``must`` be, what cannot be made yet stays down, and is recorded so.  Raise as `apply` does.
        """
        down = sorted(self.down - self.going)
        if not down:
            return
        before = set(self.down), dict(self._lowered), list(self.applied), dict(self._made)
        tried = [[self._recorded(i) for i in down], [recorded_file(self.texts[i][-1]) for i in down if i in self.texts]]
        failed: NotApplied | None = None
        for files in tried:
            self._must([Command("SAVEPOINT wflo_schema_all")])
            try:
                self.apply(files)
                return
            except NotApplied as error:
                failed = failed or error
                self._owed = [Command("ROLLBACK TO SAVEPOINT wflo_schema_all")]
                self.down, self._lowered, self.applied, self._made = (
                    set(before[0]),
                    dict(before[1]),
                    [*before[2]],
                    dict(before[3]),
                )
        if must and failed is not None:
            raise failed

    def _until_nothing_is_in_the_way(self, one: File) -> _Refusal | None:
        """Try the file; take down what cannot be replaced, and try again."""
        edited = one.id not in self.texts or not is_text_of(one.migration, self.texts[one.id][-1])
        old = {c.name for c in one.makes if c.keeps_old}
        if old and edited:
            self.take_down([n for n in self._owned(one.id) if n.name in old])
        if b"DROP" in one.script.source.upper():
            own = [n.place for n in self._owned(one.id)]
            if own:
                self.remember(own)
        while True:
            refused = self._try(one)
            if refused is None or refused.error.sqlstate not in IN_THE_WAY or refused.number is None:
                return refused
            try:
                if not self._clear(one, refused.number, refused.error):
                    return refused
            except Outside as outside:
                raise NotApplied(one, refused, outside=outside.things) from None
            except Hindered as hindered:
                if hindered.error.sqlstate in RETRIED:
                    raise Locked(one.migration, one.script, hindered.error, refused.number) from None
                raise NotApplied(one, _Refusal(hindered.error, refused.number)) from None

    def _clear(self, one: File, number: int, error: ServerError) -> bool:
        """Take down what is in the way of a statement.  Was there anything?"""
        made = next((c for c in one.makes if c.statement == number), None)
        if made is None or made.is_part:
            return self.make_room(one.script.statements[number], error)
        there = [n for n in self._named([made.name]) if n.key in self._owners or _is_meant(n, made)]
        others = {self._owners.get(n.key, one.id) for n in there} - {one.id}
        if len(there) == 1 and (other := next((i for i in others if i in self._made and i in self.files), None)):
            raise _both_make(other, one.id, there[0].key)
        own = [n for n in there if self._owners.get(n.key) == one.id]
        if not own:
            gone = {i for i in self.texts if i not in self.files}
            own = [n for n in there if self._owners.get(n.key, one.id) in (one.id, *gone)]
            if len(own) != 1:
                return False
        self._claimed = frozenset(n.key for n in own)
        try:
            return self.take_down(own)
        finally:
            self._claimed = frozenset()

    def _try(self, one: File) -> _Refusal | None:
        """Run the file's statements from a savepoint, to which PostgreSQL goes back where it refuses one."""
        run = self._run
        run.start(one.migration, one.script, goes_on=True)
        began = time.monotonic()
        refused = self._statements(one)
        self._spent_s[one.id] = self._spent_s.get(one.id, 0.0) + time.monotonic() - began
        if refused is None:
            self._owed = [_RELEASE] if one.script.statements else []
            return None
        if run.stop.is_requested:
            raise run.stopped(f"{one.id} was rolled back")
        if refused.error.sqlstate in RETRIED:
            raise Locked(one.migration, one.script, refused.error, refused.number)
        self._owed = [_BACK, _RELEASE]
        return refused

    def _statements(self, one: File) -> _Refusal | None:
        """Run them all; where one makes anew what was taken down, give it back what it had right behind it.

        So that the file's own GRANT and COMMENT have the last word.
        """
        run = self._run
        self._expect(one.makes)
        look = self._ask_named(sorted(one.names), or_ours=one.goes_anywhere)
        begin = [*self._between(one.migration), _SAVEPOINT, look]
        stops = {
            c.statement: c
            for c in one.makes
            if not c.is_part and any(of.name == c.name for of in self._lowered.values())
        }
        batch: list[Command] = list(begin)
        numbers: list[int | None] = [None] * len(begin)
        again = run.set_again(one.migration, one.script)
        before: dict[Key, str] | None = None
        there: tuple[Named, ...] = ()
        last = len(one.script.statements) - 1
        for number, statement in enumerate(one.script.statements):
            batch.append(run.command(statement))
            numbers.append(number)
            for name, value in again.get(number, {}).items():
                batch.append(Command(f"SET LOCAL {name} = {value}"))
                numbers.append(number)
            if number not in stops and number != last:
                continue
            outcome = self._exchange([*batch, look])
            if outcome.error is not None:
                return _Refusal(
                    outcome.error, numbers[outcome.error.index] if outcome.error.index < len(batch) else number
                )
            if before is None:
                before = {n.key: n.version for n in self._seen(outcome.rows[len(begin) - 1])}
            there = self._seen(outcome.rows[-1])
            if not one.goes_anywhere:
                there = self._with_moved({one.id: [c for c in one.makes if c.statement <= number]}, there, before)
            batch, numbers = [], []
            refused = self._give_back(one, stops[number], there, before) if number in stops else None
            if refused is not None:
                return refused
        refused = self._give_parts(one, there)
        if refused is None:
            self._note(one, there, before or {})
        return refused

    def _give_back(
        self, one: File, made: Creation, there: Sequence[Named], before: Mapping[Key, str]
    ) -> _Refusal | None:
        """Give what a statement has made anew what it had, but for what is made of it, such as an index."""
        for thing in there:
            lowered = self._lowered.get(thing.key)
            if thing.name != made.name or lowered is None or lowered.objid == thing.objid:
                continue
            if before.get(thing.key) == thing.version:
                continue
            columns = frozenset(c.split(COLUMN)[0] for c in thing.shape.split(BETWEEN))
            kept = [k for k in lowered.kept if not k.part and self._is_to_be_given(k, one, made, columns)]
            refused = self._given(self._to_give(thing, kept), made.statement)
            if refused is not None:
                return refused
        return None

    def _given(self, statements: Sequence[str], number: int | None) -> _Refusal | None:
        error = self._exchange([Command(one) for one in statements]).error if statements else None
        return None if error is None else _Refusal(error, number, statements[error.index])

    def _give_parts(self, one: File, there: Sequence[Named]) -> _Refusal | None:
        """Make those indexes, triggers, rules and statistics again that it had and its file does not make."""
        for thing in there:
            lowered = self._lowered.get(thing.key)
            if lowered is None or lowered.objid == thing.objid or not any(k.part for k in lowered.kept):
                continue
            made = {name for f in self._makers_of(one) for name in f.parts}
            has = {(k.what, k.part) for k in self._kept_of(thing)}
            there_now = {part for _, part in has if part}
            elsewhere = {self._names[key] for key in self._owners}
            statements = []
            for k in lowered.kept:
                if not k.part or (k.what, k.part) in has or k.part in elsewhere:
                    continue
                if k.what in _PARTS and k.part not in made:
                    there_now.add(k.part)
                if k.part in there_now:
                    statements.append(k.statement)
            number = next((c.statement for c in one.makes if c.name == thing.name), None)
            refused = self._given(statements, number)
            if refused is not None:
                return refused
        return None

    def _makers_of(self, one: File) -> list[File]:
        """The file as it was, where it was."""
        return [recorded_file(self.texts[one.id][-1])] if one.id in self.texts else []

    def _kept_of(self, thing: Named) -> list[Kept]:
        rows = self._ask(load_sql("engine", "things_kept"), array([thing.classid]), array([thing.objid]))
        return [Kept(*row) for row in rows]

    def _to_give(self, thing: Named, kept: Sequence[Kept]) -> list[str]:
        """The statements that give a thing that was made anew what it had, and no more than that.

        Default privileges may have given it what it did not have.
        """
        place = array([thing.classid]), array([thing.objid])
        has = self._kept_of(thing)
        owner = [k.statement for k in kept if k.what == "owner" and k not in has]
        others = [k.statement for k in kept if k.what not in ("owner", "grant")]
        grants = [k for k in kept if k.what == "grant"]
        is_same = {k for k in grants if not k.column} == {k for k in has if k.what == "grant" and not k.column}
        if is_same and not owner:
            return others + [k.statement for k in grants if k.column]
        taken = [row[-1] for row in self._ask(load_sql("engine", "things_given"), *place)]
        return owner + others + taken + [k.statement for k in grants]

    def _is_to_be_given(self, kept: Kept, one: File, made: Creation, columns: frozenset[str]) -> bool:
        if kept.what == "options":
            return not made.has_options and not self._had_options(one.id, made.name)
        return not kept.column or kept.column in columns

    def _had_options(self, id_: str, name: str) -> bool:
        if id_ not in self.texts:
            return False
        return any(c.name == name and c.has_options for c in recorded_file(self.texts[id_][-1]).makes)

    # what was made

    def _with_moved(
        self, makes: Mapping[str, Sequence[Creation]], there: tuple[Named, ...], before: Mapping[Key, str]
    ) -> tuple[Named, ...]:
        """The same, and what these files (ids) made that is not where they say: an event trigger may move it."""
        made = {n.name for n in there if n.is_ours and before.get(n.key) != n.version}
        lost = {
            c.name
            for of_one in makes.values()
            for c in of_one
            if not (c.is_part or c.keeps_old or c.name in made or c.schema == "pg_temp")
        }
        if not lost:
            return there
        known = {n.key for n in there} | {n.key for i, of_one in self._made.items() if i not in makes for n in of_one}
        moved = self._seen(self._must([self._ask_named(sorted(lost), or_ours=True)]).rows[-1])
        return (*there, *(n for n in moved if n.is_ours and n.key not in known))

    def _note(self, one: File, there: Sequence[Named], before: Mapping[Key, str]) -> None:
        """It has made what is there and was not, or not in this version; and what it keeps where it is there.

        What others made meanwhile, such as what the file makes for another tenant, is none of it.
        """
        old = [c for c in one.makes if c.keeps_old]

        def keeps(n: Named) -> bool:
            owner = self._owners.get(n.key)
            return any(_is_meant(n, c) if owner is None else owner == one.id and n.name == c.name for c in old)

        made = tuple(n for n in there if (n.is_ours and before.get(n.key) != n.version) or keeps(n))
        self.down.discard(one.id)
        self._made[one.id] = made
        for n in made:
            self._places.setdefault(n.name, set()).add(place_of(n.identity))
        self._owners.update((n.key, one.id) for n in made if self._owners.get(n.key) not in self.files)
        number = self._number(one)
        self.applied = [(f, n) for f, n in self.applied if f.id != one.id]
        self.applied.append((one, number))

    def _number(self, one: File) -> int:
        """The number of the file's text: that of the last where it is the same, else the next."""
        of_one = self.texts.get(one.id, [])
        if not of_one:
            return 1
        if one.id in self._back:
            return self._back[one.id].number
        return of_one[-1].number + (not is_text_of(one.migration, of_one[-1]))

    def _settle_order(self, known: Mapping[str, File]) -> None:
        """Apply again what was applied before something that it is made from, if that has other columns now."""
        for _ in range(len(known) + 1):
            needs = self._needs()
            place = {f.id: n for n, (f, _) in enumerate(self.applied)}
            late = [i for i, at in place.items() if any(place.get(n, -1) > at for n in needs.get(i, ()))]
            changed = {i for i in place if self._has_other_shape(i)}
            behind = [i for i in needs if i not in place and i not in self.going and needs[i] & changed]
            if not late and not behind:
                return
            depths = _depths({*late, *behind, *needs}, needs)
            for i in sorted({*late, *behind}, key=lambda i: (depths[i], i)):
                one = known[i] if i in known else self._recorded(i)
                refused = self._until_nothing_is_in_the_way(one)
                if refused is not None:
                    raise NotApplied(one, refused)
                self._shapes.update({n.key: n.shape for n in self._made[i]})

    def _has_other_shape(self, id_: str) -> bool:
        """Have the relations of this file other columns than before the run?  Once it is said, it is known."""
        found = {n.key: n.shape for n in self._made.get(id_, ()) if n.shape}
        is_other = any(self._shapes.get(key, shape) != shape for key, shape in found.items())
        self._shapes.update(found)
        return is_other

    def look_at_shapes(self) -> None:
        """Remember which columns the relations have before anything is applied."""
        self._shapes = {n.key: n.shape for n in self._owned(*self.texts) if n.shape}

    def with_other_columns(self) -> list[str]:
        """Ids of files, not changed, whose views of ``*`` would have other columns if they were made now."""
        ids = [i for i, of_one in self.texts.items() if i in self.files and "*" in of_one[-1].content]
        return [i for i in ids if self._would_differ(self.files[i])]

    def _would_differ(self, one: File) -> bool:
        from wflo_schema.files.creations import views_of_all

        there = {n.name: n.shape for n in self._owned(one.id) if n.shape}
        self._expect(replace(c, name=_TRIED) for c in one.makes)
        for name, statement in views_of_all(one.script, _TRIED):
            tried = [*self._between(one.migration), _SAVEPOINT, Command(statement), self._ask_named([_TRIED])]
            outcome = self._exchange(tried)
            self._owed = [_BACK, _RELEASE]
            made = named_of(outcome.rows[-1]) if outcome.error is None else ()
            if any(n.shape != there.get(name, n.shape) for n in made):
                return True
        return False

    def _needs(self) -> dict[str, set[str]]:
        """Which files each file is made from, as `pg_depend` has it."""
        owned = self._owned(*(i for i in self.texts if i not in self._made))
        things = {(n.classid, n.objid): self._owners[n.key] for n in owned}
        things |= {(n.classid, n.objid): i for i, made in self._made.items() for n in made}
        rows = self._ask(load_sql("engine", "things_edges"), array(c for c, _ in things), array(o for _, o in things))
        needs: dict[str, set[str]] = {}
        for c, o, rc, ro in rows:
            one, other = things[c, o], things[rc, ro]
            if one != other:
                needs.setdefault(one, set()).add(other)
        return needs

    def _all_ids(self) -> list[str]:
        return sorted({*self.texts, *self._made})

    # the end

    def finish(self) -> list[Command]:
        """What records all of it: check that no two files make the same, drop what is made no longer.

        Raise `Refused`.
        """
        makers: dict[Key, str] = {}
        for id_ in self._all_ids():
            things = [n.key for n in self._made[id_]] if id_ in self._made else []
            for key in things:
                other = makers.setdefault(key, id_)
                if other != id_:
                    raise _both_make(other, id_, key)
        down = set(self.down)
        self._drop_what_is_made_no_longer(makers)
        self._make_again(self.down - down)
        places = _depths(self._all_ids(), self._needs())
        commands = []
        written = {f.id: (f, n) for f, n in self.applied}
        for id_, text in self._back.items():
            commands.append(forget_command(self._run.ledger, id_, beyond=text.number))
        for id_ in self._all_ids():
            if id_ in written:
                one, number = written[id_]
                made = tuple(n.thing for n in self._made[id_])
                after = next((t.after for t in self.texts.get(id_, ()) if t.number == number), self._after)
                content = one.script.source.decode()
                text = Text(id_, number, one.script.checksum, content, made, places[id_], after, False, (), "")
                commands += [write_command(self._run.ledger, text), *record_commands(self._run.ledger, one.migration)]
            else:
                last = self.texts[id_][-1]
                taken = [t for t in last.made if makers.get((t.type, t.identity), id_) != id_]
                made = tuple(t for t in last.made if t not in taken)
                if taken and not made and id_ not in self.files:
                    commands.append(forget_command(self._run.ledger, id_))
                    continue
                is_down = id_ in self.down
                kept = tuple(k for key, of in self._lowered.items() for k in of.kept if key in map(_key, made))
                now = last._replace(made=made, position=places[id_], is_down=is_down, kept=kept if is_down else ())
                if now != last:
                    commands.append(write_command(self._run.ledger, now))
        return commands

    def _drop_what_is_made_no_longer(self, makers: Mapping[Key, str]) -> None:
        for one, _ in self.applied:
            if one.id not in self.texts:
                continue
            gone = [n for n in self._owned(one.id) if n.key not in makers]
            if not gone:
                continue
            self._hand_on(gone, self._made[one.id])
            try:
                self.take_down(gone)
            except Outside as outside:
                raise Refused(
                    f"{one.id} does not make the {outside.of} any more, and {listed(outside.things)} depends on it",
                    hint="drop that in a migration, or make it in a repeatable file, too",
                ) from None
            self.down.discard(one.id)

    def _hand_on(self, gone: Sequence[Named], made: Sequence[Named]) -> None:
        """Give what has other arguments now what the one of the same name had that is made no longer."""
        for old in gone:
            new = [n for n in made if (n.type, n.name) == (old.type, old.name)]
            others = [n for n in gone if (n.type, n.name) == (old.type, old.name)]
            if len(new) == 1 and len(others) == 1 and old.type in ("function", "procedure", "aggregate"):
                self.remember([old.place])
                kept = self._lowered.pop(old.key).kept
                self._do([k.statement.replace(old.identity, new[0].identity) for k in kept])

    def go_back(self, undone: Collection[str] = (), *, only: str = "") -> list[Command]:
        """Put the former texts back of what was applied after these migrations (hashes); drop what had none.

        Or put the text of ``only`` one file back that it had before its last.  Raise as `apply` does.
        """
        anew = []
        for id_, of_one in self.texts.items():
            if id_ == only or of_one[-1].after in undone:
                former = next((t for t in reversed(of_one[:-1]) if t.after not in undone), None)
                if former is None:
                    anew.append(id_)
                else:
                    self._back[id_] = former
        self.going = frozenset(anew)
        self.apply([recorded_file(text) for text in self._back.values()])
        return self.drop_files(anew)

    def drop_files(self, ids: Iterable[str]) -> list[Command]:
        """Drop what these files have made, and forget them.

        Raise `Refused` where something that no file makes depends on it, and as `apply` does where another file does.
        """
        commands, down = [], set(self.down)
        for id_ in ids:
            try:
                self.take_down(self._owned(id_))
            except Outside as outside:
                raise Refused(
                    f"{id_} cannot be dropped: {listed(outside.things)} depends on what it made",
                    hint="drop that first, in a migration",
                ) from None
            self.down.discard(id_)
            self.texts.pop(id_)
            commands.append(forget_command(self._run.ledger, id_))
        self._make_again(self.down - down)
        return commands

    def _make_again(self, ids: Collection[str]) -> None:
        """Make again what stood on something that was dropped.  Raise as `apply` does where it needs that."""
        if ids:
            self.apply([self._recorded(i) for i in ids])

    def _stuck(self, waiting: Sequence[tuple[File, _Refusal]]) -> NotApplied:
        one, refused = waiting[0]
        others = {f.id: f.names for f, _ in waiting}
        circle = [
            f.id
            for f, r in waiting
            if any(n in r.error.message for i, names in others.items() if i != f.id for n in names)
        ]
        return NotApplied(one, refused, circle=circle if len(circle) == len(waiting) > 1 else ())


def _mentioned(files: Sequence[File]) -> dict[str, set[str]]:
    """Which of these files make what each of them names."""
    makers = {name.encode(): f.id for f in files for name in f.names}
    return {f.id: {makers[word] for word in _WORD.findall(f.script.source) if word in makers} for f in files}


def makers_of(said: str, files: Iterable[File]) -> frozenset[str]:
    """Of these files those that make what a message of PostgreSQL names, and those that they name in turn."""
    some = list(files)
    needs = _mentioned(some)
    found: set[str] = set()
    left = {f.id for f in some if any(is_named(name, said) for name in f.names)}
    while left:
        found |= left
        left = {n for i in left for n in needs[i]} - found
    return frozenset(found)


def _depths(ids: Iterable[str], needs: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many others must be made first, one after the other; what needs each other comes last."""
    wanted = sorted(ids)
    known = set(wanted)
    left = {i: {n for n in needs.get(i, ()) if n in known and n != i} for i in wanted}
    above: dict[str, list[str]] = {}
    for i, inner in left.items():
        for n in inner:
            above.setdefault(n, []).append(i)
    depths: dict[str, int] = {}
    number = 0
    level = [i for i in wanted if not left[i]]
    while level:
        number += 1
        depths.update(dict.fromkeys(level, number))
        for i in level:
            for one in above.get(i, ()):
                left[one].discard(i)
        level = sorted({one for i in level for one in above.get(i, ()) if not left[one] and one not in depths})
    return {i: depths.get(i, number + 1) for i in wanted}


def _is_meant(thing: Named, made: Creation) -> bool:
    """Is it this that a statement makes, and not what bears the same name in a schema that it does not lead to?"""
    is_there = thing.schema == made.schema if made.schema else thing.is_near
    return thing.name == made.name and (is_there or not thing.schema)


def is_named(name: str, said: str) -> bool:
    """Does a message of PostgreSQL name this, as a word of its own?"""
    return name in said and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", said) is not None


class Outside(Exception):
    """Things that no repeatable file has made depend on ``of``."""

    def __init__(self, things: Sequence[str], of: str) -> None:
        super().__init__(of)
        self.things, self.of = tuple(things), of


def _both_make(one: str, other: str, key: Key) -> Refused:
    first, second = sorted((one, other))
    return Refused(f"{first} and {second} both make the {key[0]} {key[1]}", hint="leave it to one of the two files")


def _key(thing: Thing) -> Key:
    return thing.type, thing.identity


def recorded_file(text: Text) -> File:
    """A file as the ledger kept it."""
    from wflo_schema.files.directives import head, read_directives
    from wflo_schema.files.script import Script, split_statements

    path, source = f"{text.id}.sql", text.content.encode()
    script = Script(path, source, text.checksum, split_statements(path, source), read_directives(path, head(source)))
    return File.of(Migration(text.id, path, text.checksum), script)

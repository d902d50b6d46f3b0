"""Applies repeatable files within a transaction that is open, in the order that PostgreSQL's own catalogs tell.

A file is tried as it is.  Where something that it needs is not there yet, it waits for the others; where PostgreSQL
cannot replace what is there, that and what depends on it is taken down and made again, each with what it was given
besides: owner, grants, comments, options, indexes.  Hides `pg_depend`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from wflo_schema.connect.pipeline import Command, ServerError
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine.repeatables import (
    Kept,
    Named,
    Text,
    Thing,
    array,
    forget_command,
    is_text_of,
    named,
    write_command,
)
from wflo_schema.engine.session import RETRIED, Session, failure
from wflo_schema.engine.values import record_commands
from wflo_schema.errors import Refused, WfloSchemaError
from wflo_schema.files.creations import Creation, Touched, creations
from wflo_schema.files.folder import Migration
from wflo_schema.words import listed

if TYPE_CHECKING:
    from wflo_schema.files.script import Script

# Something is not there (yet): a table, a function, an object, a column, a schema, what COMMENT or GRANT names.
_MISSING = frozenset({"42P01", "42883", "42704", "42703", "3F000", "42P02"})

# It is there already, or cannot be replaced by this: other columns, another return type, what depends on it.
_IN_THE_WAY = frozenset({"42P16", "42P13", "42P07", "42723", "42710", "42809", "2BP01", "0A000"})

_SAVEPOINT = Command("SAVEPOINT wflo_schema_file")
_BACK = Command("ROLLBACK TO SAVEPOINT wflo_schema_file")
_RELEASE = Command("RELEASE SAVEPOINT wflo_schema_file")

Key = tuple[str, str]

# In a shape: behind the name of a column, and between two columns.
COLUMN, BETWEEN = "\x1f", "\x1e"

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

    def error(self, run: Session) -> WfloSchemaError:
        """What a user is told."""
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
        place = f"when it was given back what it had ({refused.what})" if refused.what else ""
        error = run.failed(m, script, refused.error, refused.number, place=place)
        if self._circle:
            error.hint = f"{listed(self._circle)} need each other, so none of them can be made first\n{error.hint}"
        return error


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
        return frozenset(c.name for c in self.makes)


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
        self._back: dict[str, Text] = {}
        """Former texts that are put back."""

    # asking

    def _ask(self, query: str, *parameters: str | None) -> tuple[tuple[str, ...], ...]:
        rows = self._run.must([Command(query, parameters, keeps_rows=True)]).rows[-1]
        return tuple(tuple(value or "" for value in row) for row in rows)

    def _named(self, names: Iterable[str]) -> tuple[Named, ...]:
        wanted = sorted(set(names))
        found = named(self._run.pipeline, wanted) if wanted else ()
        self._names.update({n.key: n.name for n in found})
        return found

    def _owned(self, id_: str) -> tuple[Named, ...]:
        """What a file's standing text has made, and is there."""
        things = self.texts[id_][-1].made if id_ in self.texts else ()
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
        own = [(n.classid, n.objid, n.type, n.identity) for n in things]
        self._drop([*below, *own], of=" and ".join(f"{n.type} {n.identity}" for n in things))
        return True

    def take_down_for(self, touched: Touched) -> bool:
        """Drop what depends on something that a migration alters or drops.  Was there anything?"""
        if touched.is_relation:
            name = f"{_quoted(touched.schema)}.{_quoted(touched.name)}" if touched.schema else _quoted(touched.name)
            rows = self._ask("SELECT 'pg_catalog.pg_class'::regclass::oid, to_regclass($1)::oid", name)
            seeds = [(c, o) for c, o in rows if o]
        else:
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
        return [(c, o, t, i) for c, o, t, i, is_part, _ in rows if is_part != "t" or (t, i) in self._owners]

    def _drop(self, things: Sequence[tuple[str, str, str, str]], *, of: str) -> None:
        there: dict[Key, tuple[str, str, str, str]] = {(t, i): (c, o, t, i) for c, o, t, i in things}
        outside = [f"{t} {i}" for (t, i) in there if (t, i) not in self._owners and (t, i) not in self._claimed]
        if outside:
            raise Outside(outside, of)
        self.remember(list(there.values()))
        self.down.update(self._owners[key] for key in there if key in self._owners and key not in self._claimed)
        self._run.must([Command(f"DROP {_WORDS.get(t, t.upper())} {i}") for _, _, t, i in there.values()])

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
        everything = [(n.classid, n.objid, n.type, n.identity) for id_ in self.texts for n in self._owned(id_)]
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
        queue = deque(sorted(files, key=self._place))
        waiting: dict[str, tuple[File, _Refusal]] = {}
        has_moved = False
        runs: dict[str, int] = {}
        while queue or (waiting and has_moved):
            if not queue:
                queue.extend(f for f, _ in waiting.values())
                waiting.clear()
                has_moved = False
            one = queue.popleft()
            runs[one.id] = runs.get(one.id, 0) + 1
            refused = self._until_nothing_is_in_the_way(one)
            if refused is None:
                has_moved = True
            elif refused.error.sqlstate in _MISSING and runs[one.id] <= len(known) + 1:
                waiting[one.id] = one, refused
            else:
                raise NotApplied(one, refused)
            again = self.down - {f.id for f in queue} - waiting.keys() - {one.id}
            queue.extend(sorted((known.setdefault(i, self._recorded(i)) for i in again), key=self._place))
        if waiting:
            raise self._stuck(list(waiting.values()))
        self._settle_order(known)

    def _place(self, one: File) -> tuple[int, str]:
        return (self.texts[one.id][-1].position, one.id) if one.id in self.texts else (1 << 30, one.id)

    def _recorded(self, id_: str) -> File:
        """The file of today, or its text as the ledger has it."""
        if id_ in self._back:
            return recorded_file(self._back[id_])
        return self.files[id_] if id_ in self.files else recorded_file(self.texts[id_][-1])

    def put_back(self, *, must: bool) -> None:
        """Make again what was taken down, as the files are today, or else as they were.

        Unless it ``must`` be, what cannot be made yet stays down, and is recorded so.  Raise as `apply` does.
        """
        if not self.down:
            return
        down = sorted(self.down)
        before = set(self.down), dict(self._lowered), list(self.applied), dict(self._made)
        tried = [[self._recorded(i) for i in down], [recorded_file(self.texts[i][-1]) for i in down if i in self.texts]]
        failed: NotApplied | None = None
        for files in tried:
            self._run.must([Command("SAVEPOINT wflo_schema_all")])
            try:
                self.apply(files)
                return
            except NotApplied as error:
                failed = failed or error
                self._run.must([Command("ROLLBACK TO SAVEPOINT wflo_schema_all")])
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
            own = [(n.classid, n.objid, n.type, n.identity) for n in self._owned(one.id)]
            if own:
                self.remember(own)
        while True:
            refused = self._try(one)
            if refused is None or refused.error.sqlstate not in _IN_THE_WAY or refused.number is None:
                return refused
            try:
                if not self._clear(one, refused.number):
                    return refused
            except Outside as outside:
                raise NotApplied(one, refused, outside=outside.things) from None

    def _clear(self, one: File, number: int) -> bool:
        """Take down what is in the way of a statement.  Was there anything?"""
        from wflo_schema.files.creations import touched

        made = next((c for c in one.makes if c.statement == number), None)
        if made is None:
            return any(self.take_down_for(t) for t in touched(one.script.statements[number]))
        there = self._named([made.name])
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
        run.start(one.migration, one.script)
        refused = self._statements(one)
        if refused is None:
            made = self._made_by(one)
            self._note(one, made)
            run.must([_RELEASE])
            return None
        if run.stop.is_requested:
            raise run.stopped(f"{one.id} was rolled back")
        if refused.error.sqlstate in RETRIED:
            raise Locked(one.migration, one.script, refused.error, refused.number)
        run.must([_BACK, _RELEASE])
        return refused

    def _statements(self, one: File) -> _Refusal | None:
        run = self._run
        begin = [*self._between(one.migration), _SAVEPOINT]
        stops = {c.statement: c for c in one.makes if any(of.name == c.name for of in self._lowered.values())}
        batch: list[Command] = list(begin)
        numbers: list[int | None] = [None] * len(begin)
        again = run.set_again(one.migration, one.script)
        for number, statement in enumerate(one.script.statements):
            batch.append(run.command(statement))
            numbers.append(number)
            for name, value in again.get(number, {}).items():
                batch.append(Command(f"SET LOCAL {name} = {value}"))
                numbers.append(number)
            if number in stops or number + 1 == len(one.script.statements):
                error = run.pipeline.exchange(batch).error
                if error is not None:
                    return _Refusal(error, numbers[error.index])
                batch, numbers = [], []
                refused = self._give_back(one, stops[number]) if number in stops else None
                if refused is not None:
                    return refused
        if batch:
            run.must(batch)
        return None

    def _give_back(self, one: File, made: Creation) -> _Refusal | None:
        """Give what a statement has made anew what it had."""
        for thing in self._named([made.name]):
            lowered = self._lowered.get(thing.key)
            if lowered is None or lowered.objid == thing.objid or not thing.is_ours:
                continue
            columns = frozenset(c.split(COLUMN)[0] for c in thing.shape.split(BETWEEN))
            kept = [k for k in lowered.kept if self._is_to_be_given(k, one, made, columns)]
            commands = self._to_give(thing, kept)
            error = self._run.pipeline.exchange([Command(c) for c in commands]).error
            if error is not None:
                return _Refusal(error, made.statement, f"{commands[error.index]}")
        return None

    def _to_give(self, thing: Named, kept: Sequence[Kept]) -> list[str]:
        """The statements that give a thing that was made anew what it had, and no more than that.

        Default privileges may have given it what it did not have.
        """
        place = array([thing.classid]), array([thing.objid])
        has = [Kept(*row) for row in self._ask(load_sql("engine", "things_kept"), *place)]
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
        if kept.column and kept.column not in columns:
            return False
        is_made = kept.part in one.names or any(self._names[key] == kept.part for key in self._owners)
        return not (kept.part and is_made)

    def _had_options(self, id_: str, name: str) -> bool:
        if id_ not in self.texts:
            return False
        return any(c.name == name and c.has_options for c in recorded_file(self.texts[id_][-1]).makes)

    # what was made

    def _made_by(self, one: File) -> tuple[Named, ...]:
        kept = {c.name for c in one.makes if c.keeps_old}
        found = self._named(one.names)
        return tuple(n for n in found if n.is_ours or (n.name in kept and self._owners.get(n.key) == one.id))

    def _note(self, one: File, made: tuple[Named, ...]) -> None:
        self.down.discard(one.id)
        self._made[one.id] = made
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
            order = [f.id for f, _ in self.applied]
            late = [i for i in order if any(n in order and order.index(n) > order.index(i) for n in needs.get(i, ()))]
            changed = {f.id for f, _ in self.applied if self._has_other_shape(f.id)}
            behind = [i for i in needs if i not in order and needs[i] & changed]
            if not late and not behind:
                return
            for i in sorted({*late, *behind}, key=lambda i: (self._depth(i, needs), i)):
                one = known[i] if i in known else self._recorded(i)
                refused = self._until_nothing_is_in_the_way(one)
                if refused is not None:
                    raise NotApplied(one, refused)
                self._shapes.update({n.key: n.shape for n in self._made[i]})
            changed.clear()

    def _has_other_shape(self, id_: str) -> bool:
        """Have the relations of this file other columns than before the run?  Once it is said, it is known."""
        found = {n.key: n.shape for n in self._made.get(id_, ()) if n.shape}
        is_other = any(self._shapes.get(key, shape) != shape for key, shape in found.items())
        self._shapes.update(found)
        return is_other

    def look_at_shapes(self) -> None:
        """Remember which columns the relations have before anything is applied."""
        self._shapes = {n.key: n.shape for id_ in self.texts for n in self._owned(id_) if n.shape}

    def _depth(self, id_: str, needs: Mapping[str, set[str]], above: frozenset[str] = frozenset()) -> int:
        inner = [self._depth(n, needs, above | {id_}) for n in needs.get(id_, ()) if n not in above and n != id_]
        return 1 + max(inner, default=0)

    def _needs(self) -> dict[str, set[str]]:
        """Which files each file is made from, as `pg_depend` has it."""
        things = {(n.classid, n.objid): i for i in self._all_ids() for n in self._things_of(i)}
        rows = self._ask(load_sql("engine", "things_edges"), array(c for c, _ in things), array(o for _, o in things))
        needs: dict[str, set[str]] = {}
        for c, o, rc, ro in rows:
            one, other = things[c, o], things[rc, ro]
            if one != other:
                needs.setdefault(one, set()).add(other)
        return needs

    def _all_ids(self) -> list[str]:
        return sorted({*self.texts, *self._made})

    def _things_of(self, id_: str) -> tuple[Named, ...]:
        return self._made[id_] if id_ in self._made else self._owned(id_)

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
                    raise Refused(
                        f"{other} and {id_} both make the {key[0]} {key[1]}", hint="leave it to one of the two files"
                    )
        self._drop_what_is_made_no_longer(makers)
        needs = self._needs()
        places = {i: n for n, i in enumerate(sorted(self._all_ids(), key=lambda i: (self._depth(i, needs), i)))}
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
                commands.append(
                    write_command(
                        self._run.ledger,
                        last._replace(made=made, position=places[id_], is_down=is_down, kept=kept if is_down else ()),
                    )
                )
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
            new = [n for n in made if (n.type, n.name) == (old.type, old.name) and n.is_ours]
            others = [n for n in gone if (n.type, n.name) == (old.type, old.name)]
            if len(new) == 1 and len(others) == 1 and old.type in ("function", "procedure", "aggregate"):
                self.remember([(old.classid, old.objid, old.type, old.identity)])
                kept = self._lowered.pop(old.key).kept
                commands = [Command(k.statement.replace(old.identity, new[0].identity)) for k in kept]
                self._run.must(commands)

    def go_back(self, after: str) -> list[Command]:
        """Put the former texts back of what was applied after a migration (its hash); drop what had none.

        Raise as `apply` does.
        """
        anew = []
        for id_, of_one in self.texts.items():
            if of_one[-1].after == after:
                former = next((t for t in reversed(of_one) if t.after != after), None)
                if former is None:
                    anew.append(id_)
                else:
                    self._back[id_] = former
        self.apply([recorded_file(text) for text in self._back.values()])
        return self.drop_files(anew)

    def drop_files(self, ids: Iterable[str]) -> list[Command]:
        """Drop what these files have made, and forget them.  Raise `Refused` where something else depends on it."""
        commands = []
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
        return commands

    def _stuck(self, waiting: Sequence[tuple[File, _Refusal]]) -> NotApplied:
        one, refused = waiting[0]
        others = {f.id: f.names for f, _ in waiting}
        circle = [
            f.id
            for f, r in waiting
            if any(n in r.error.message for i, names in others.items() if i != f.id for n in names)
        ]
        return NotApplied(one, refused, circle=circle if len(circle) == len(waiting) > 1 else ())


class Outside(Exception):
    """Things that no repeatable file has made depend on ``of``."""

    def __init__(self, things: Sequence[str], of: str) -> None:
        super().__init__(of)
        self.things, self.of = tuple(things), of


def _key(thing: Thing) -> Key:
    return thing.type, thing.identity


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def recorded_file(text: Text) -> File:
    """A file as the ledger kept it."""
    from wflo_schema.files.directives import head, read_directives
    from wflo_schema.files.script import Script, split_statements

    path, source = f"{text.id}.sql", text.content.encode()
    script = Script(path, source, text.checksum, split_statements(path, source), read_directives(path, head(source)))
    return File.of(Migration(text.id, path, text.checksum), script)

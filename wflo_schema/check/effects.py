"""Say what a PL/pgSQL trigger function does to a foreign key's own query, without running it.

Hides the walk through the statements: every path is followed with what the variables hold on it, so that an error
is said only of what is certain for some row.  Knows no database.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from itertools import product
from typing import Any

from wflo_schema.check import plpgsql
from wflo_schema.check.outcomes import (
    FALSE,
    NULL,
    TRUE,
    UNKNOWN,
    Column,
    Evaluator,
    Event,
    Outcomes,
    Row,
    Value,
    World,
    both,
    expression,
    is_of_a_row,
    is_plain,
    selected,
)
from wflo_schema.check.plpgsql import Assign, Block, Body, Fill, If, Leave, Loop, Path, Raise, Return, Run, Unreadable

# Whether a path changes rows that the key's own query changes.
_NOT, _PERHAPS, _SURELY = 0, 1, 2

# So many paths, and so many reasons to be on one, are followed; more of them are taken together and are guesses.
_PATHS, _WORLDS = 48, 24


class Effect(enum.Enum):
    """What a trigger does to the row or statement that fires it."""

    PASSES = "lets it pass"
    STOPS = "cancels it without a word, or undoes it"
    FAILS = "always raises an error"
    CLASHES = "changes the row itself, so that PostgreSQL refuses what fired it"
    UNCLEAR = "cannot be known"
    MAY_CLASH = "may change rows that what fired it changes"


def effect(source: str, event: Event, *, when: str | None = "true", has_plain_texts: bool = True) -> Effect:
    """What a BEFORE trigger's function does to the event, ``when`` its condition holds; None: that is not known.

    STOPS and CLASHES are certain for some row, FAILS for every row.
    """
    said = " ".join([source, when or "", *(event.checks or ())])
    return _effect(source, event.as_seen_by(said), when, has_plain_texts)


@lru_cache(maxsize=1024)
def _effect(source: str, event: Event, when: str | None, has_plain_texts: bool) -> Effect:
    start = replace(event, depth=event.depth - 1)  # the function is one level deeper
    said = _truths(when or "", Evaluator(start, start.rows()))
    worlds = _few(world for value, world in said if value == TRUE)
    if not worlds:
        return Effect.PASSES
    try:
        body = plpgsql.parse(source, has_plain_texts=has_plain_texts)
        walk = _Walk(event)
        walk.body(body, [_Path(event.rows(), worlds)])
    except (Unreadable, RecursionError):
        return Effect.UNCLEAR
    if not walk.returned:
        return Effect.FAILS if {value for value, _ in said} == {TRUE} else Effect.PASSES
    held = [(*one, is_of_a_row(start, one[1])) for one in walk.returned]
    losses = {(event.is_row and _loses(event, value), can) for value, _, _, can in held if can is not False}
    if (True, True) in losses:
        return Effect.STOPS
    clashes = {
        (clash, can) for value, _, clash, can in held if can is not False and (value != NULL or not event.is_row)
    }
    if (_SURELY, True) in clashes:
        return Effect.CLASHES
    if {loses for loses, _ in losses} != {False}:
        return Effect.UNCLEAR
    return Effect.MAY_CLASH if any(clash for clash, _ in clashes) else Effect.PASSES


@lru_cache(maxsize=256)
def changed(source: str) -> frozenset[str] | None:
    """The columns of NEW that the function may give another value; None: any."""
    try:
        body = plpgsql.parse(source)
    except Unreadable:
        return None
    paths = [path for path in plpgsql.written(body) if "new" in path[:2]]  # the function's name may stand before it
    returned = {e.strip("( )").lower() for e in _returned(body)} - {"new", "null", "old"}
    if returned or any(len(path) == 1 or path[0] != "new" for path in paths):
        return None
    return frozenset(path[1] for path in paths)


@dataclass(frozen=True, slots=True)
class Write:
    """A table whose rows a statement changes: those for which ``where`` holds, None: all.

    ``name`` is empty where the statement is put together as it runs.  ``is_plain``: that is all that decides.
    """

    schema: str
    name: str
    alias: str = ""
    where: Any = None
    is_plain: bool = False
    is_only: bool = False

    def is_of(self, tables: Collection[tuple[str, str, bool]]) -> bool:
        """Whether it may be one of these tables, schema first, or, by ONLY, of those that this reaches."""
        return not self.name or any(
            n == self.name and self.schema in ("", s) and (is_reached or not self.is_only)
            for s, n, is_reached in tables
        )


@lru_cache(maxsize=512)
def writes(query: str) -> tuple[Write, ...]:
    """Every table of which the statement changes rows that are there: UPDATE, DELETE, MERGE, ON CONFLICT."""
    import postgast

    if query[:7].lower() == "execute":
        return tuple(_written_by_text(query))
    try:
        (statement,) = postgast.parse(query).stmts
    except (postgast.PgQueryError, ValueError):
        return (Write("", ""),)
    return tuple(_written_below(statement))


def _written_below(node: Any) -> Iterator[Write]:
    kind = node.DESCRIPTOR.name
    if kind in ("UpdateStmt", "DeleteStmt"):
        table = node.relation
        joined = node.from_clause if kind == "UpdateStmt" else node.using_clause
        where = node.where_clause if node.HasField("where_clause") else None
        alias = table.alias.aliasname if table.HasField("alias") else table.relname
        yield Write(table.schemaname, table.relname, alias, where, not joined, is_only=not table.inh)
    elif kind == "MergeStmt" or (kind == "InsertStmt" and node.HasField("on_conflict_clause")):
        yield Write(node.relation.schemaname, node.relation.relname)
    elif kind == "TruncateStmt":
        yield from (Write(t.range_var.schemaname, t.range_var.relname) for t in node.relations)
    for one, value in node.ListFields():
        if one.message_type is not None:
            for inner in value if one.is_repeated else (value,):
                yield from _written_below(inner)


_TEXT = re.compile(r"'((?:[^']|'')*)'")
_CHANGES = re.compile(
    r"\b(?:update|delete\s+from|merge\s+into|truncate)\s+(?:only\s+|table\s+)*([\w.\"]*)", re.IGNORECASE
)


def _written_by_text(query: str) -> Iterator[Write]:
    """What an EXECUTE may change, as far as its texts say."""
    texts = [t.replace("''", "'") for t in _TEXT.findall(query)]
    if not any(re.match(r"\s*[a-z]", t, re.IGNORECASE) for t in texts):
        yield Write("", "")
    for found in _CHANGES.finditer(" % ".join(texts)):
        schema, _, name = found[1].lower().replace('"', "").rpartition(".")
        yield Write(schema, name)


def _blocks(body: Body) -> Iterator[plpgsql.Statement]:
    """Every statement, at every depth."""
    for one in body:
        yield one
        inner: list[Body] = []
        if isinstance(one, If):
            inner = [*(b for _, b in one.branches), one.otherwise]
        elif isinstance(one, Loop):
            inner = [one.body]
        elif isinstance(one, Block):
            inner = [one.body, *(b for _, b in one.handlers)]
        for each in inner:
            yield from _blocks(each)


def _returned(body: Body) -> Iterator[str]:
    yield from (one.expression for one in _blocks(body) if isinstance(one, Return))


def _loses(event: Event, value: Value) -> bool | None:
    """Whether the key's query does not come about where the function returns this; None: that is not known."""
    if value == NULL:
        return True
    if not isinstance(value, Row):
        return None
    if event.operation == "DELETE":
        return False
    said = [_is_back(event, name, event.column(value, name)) for name in sorted(event.written)]
    if event.action == "n" and not event.is_full and NULL in [event.column(value, name) for name in event.written]:
        return False  # a key that is NULL in part points nowhere
    return True if True in said else None if None in said else False


def _is_back(event: Event, name: str, value: Value) -> bool | None:
    """Whether a column of the key has its old value again."""
    if isinstance(value, Column) and value.name == name:
        return (True if event.is_last else None) if value.row == "old" else False
    return False if event.action == "n" and value == NULL else None


@dataclass(frozen=True, slots=True)
class _Path:
    """What the variables hold on one way through the function, and when it is taken: in any of these worlds."""

    variables: dict[str, Value]
    worlds: tuple[World, ...]
    clash: int = _NOT

    def given(self, name: str, value: Value) -> _Path:
        return replace(self, variables={**self.variables, name: value})

    def as_guess(self) -> _Path:
        return replace(self, worlds=tuple(dict.fromkeys(replace(w, is_guess=True) for w in self.worlds)))


_Paths = list[_Path]


@dataclass(slots=True)
class _Walk:
    event: Event
    returned: list[tuple[Value, World, int]] = field(default_factory=list)
    scope: dict[str, str] = field(default_factory=dict)
    """Where a path holds what a name means here, or a name behind a label; others are hidden.  A label is ""."""
    types: dict[str, str] = field(default_factory=dict)
    depth: int = 0
    left: list[tuple[bool, str, _Path]] = field(default_factory=list)
    """Who has met EXIT (or else CONTINUE), of which label, and has not come to its loop yet."""
    raised: _Paths = field(default_factory=list)

    def body(self, body: Body, paths: _Paths) -> _Paths:
        for one in body:
            if not paths:
                break
            paths = _merged(p for path in paths for p in self.statement(one, path))
        return paths

    def statement(self, one: plpgsql.Statement, path: _Path) -> _Paths:
        if isinstance(one, Return):
            values = self.values(one.expression, path)
            self.returned += [(v, w, path.clash) for world in path.worlds for v, w in self.under(world, values)]
            return []
        if isinstance(one, Run):
            return self.run(one.query, path)
        if isinstance(one, Raise):
            self.raised.append(path)
            return []
        if isinstance(one, Assign):
            return self.assign(path, [one.target], [self.values(one.expression, path)])
        if isinstance(one, Fill):
            return self.fill(one, path)
        if isinstance(one, If):
            return self.branches(one, path)
        if isinstance(one, Leave):
            goes, stays = self.split(one.condition or "true", path)
            self.left += [(one.is_exit, one.label, p) for p in goes]
            return stays
        return self.loop(one, path) if isinstance(one, Loop) else self.block(one, path)

    def evaluator(self, path: _Path) -> Evaluator:
        named = {name: path.variables.get(place, UNKNOWN) for name, place in self.scope.items()}
        return Evaluator(self.event, {**path.variables, **named})

    def values(self, expression: str, path: _Path) -> Outcomes:
        return self.evaluator(path).text(expression)

    def under(self, world: World, outcomes: Outcomes) -> Iterator[tuple[Value, World]]:
        for value, other in outcomes:
            joined = both(self.event, world, other)
            if joined is not None:
                yield value, joined

    def split(self, condition: str, path: _Path) -> tuple[_Paths, _Paths]:
        """The path where a condition holds, and where it does not."""
        said = _truths(condition, self.evaluator(path))
        worlds: dict[bool, list[World]] = {True: [], False: []}
        for world in path.worlds:
            for value, joined in self.under(world, said):
                worlds[value == TRUE].append(joined)
        yes, no = ([replace(path, worlds=_few(w))] if w else [] for w in (worlds[True], worlds[False]))
        return yes, no

    def run(self, query: str, path: _Path) -> _Paths:
        """The path where the statement meets the row that fired the trigger, and where it does not."""
        paths = [path]
        for write in writes(query) if self.event.tables else ():
            if not write.is_of(self.event.tables):
                continue
            after: _Paths = []
            for each in paths:
                own = Row("old")  # or, before a statement, any of its rows
                said = self.meets(write, each, own)
                sure = [w for v, w in said if v == TRUE and not w.is_guess]
                if sure:
                    after.append(replace(each, worlds=self.among(each, [(TRUE, w) for w in sure]), clash=_SURELY))
                rest = [(v, w) for v, w in said if v != TRUE or w.is_guess]
                if rest:
                    kin = Row("other", tuple((n, self.event.column(own, n)) for n in sorted(self.event.written)))
                    may = any(v == TRUE for v, _ in [*rest, *self.meets(write, each, kin)])
                    worlds = each.worlds if not sure else self.among(each, rest)
                    after.append(replace(each, worlds=worlds, clash=max(each.clash, _PERHAPS if may else _NOT)))
            paths = _merged(p for p in after if p.worlds)
        return paths

    def among(self, path: _Path, said: Outcomes) -> tuple[World, ...]:
        return _few(w for world in path.worlds for _, w in self.under(world, said))

    def meets(self, write: Write, path: _Path, row: Row) -> Outcomes:
        """Whether the statement's WHERE holds for a row of its table."""
        if write.where is None:
            return [(TRUE, World(is_guess=not write.is_plain))]
        evaluator = self.evaluator(path)
        variables = {**evaluator.variables, write.alias: row}
        said = Evaluator(self.event, variables, row).truths(write.where)
        return said if write.is_plain else [(v, replace(w, is_guess=True)) for v, w in said]

    def branches(self, one: If, path: _Path) -> _Paths:
        before = len(self.returned), len(self.left), len(self.raised)
        ends: _Paths = []
        left: _Paths = [path]
        for condition, body in one.branches:
            halves = [self.split(condition, p) for p in left]
            ends += self.body(body, [p for yes, _ in halves for p in yes])
            left = [p for _, no in halves for p in no]
        ends = _merged([*ends, *self.body(one.otherwise, left)])
        has_all = before == (len(self.returned), len(self.left), len(self.raised))
        if has_all and len(ends) == 1:
            return [replace(ends[0], worlds=path.worlds)]  # whatever the conditions were, it is the same
        return ends

    def assign(self, path: _Path, targets: Sequence[Path], values: Sequence[Outcomes]) -> _Paths:
        paths = [path]
        for target, outcomes in zip(targets, values, strict=True):
            if all(w.is_guess for _, w in outcomes):
                outcomes = [(UNKNOWN, World())]  # no need to follow each
            found: _Paths = []
            for one, value in product(paths, dict.fromkeys(v for v, _ in outcomes)):
                under = [(v, w) for v, w in outcomes if v == value]
                worlds = [w for world in one.worlds for _, w in self.under(world, under)]
                if worlds:
                    found.append(replace(self.put(one, target, value), worlds=_few(worlds)))
            paths = _merged(found)
        return paths

    def placed(self, target: Path) -> Path:
        """The same, with where its variable is held first.  A label or the function's name may stand before that."""
        first, second = (*target, "")[:2]
        if self.scope.get(first) == "" and (behind := self.scope.get(f"{first}\0{second}")):
            return (behind, *target[2:])
        if first not in (*self.scope, "new", "old") and second in ("new", "old"):
            return target[1:]
        return (self.scope.get(first, first), *target[1:])

    def put(self, path: _Path, target: Path, value: Value) -> _Path:
        """Give a variable, or its column, a value."""
        place, *rest = target = self.placed(target)
        if not rest:
            return path.given(place, self.event.stored(value, self.types.get(place, "")))
        if place not in path.variables:  # a label of a block that is not entered yet, or was left
            for one in path.variables:
                if one.partition("\0")[0] in target[:2] or one == self.scope.get(rest[0]):
                    path = path.given(one, UNKNOWN)
            return path
        row = path.variables[place]
        if row == NULL and place not in ("old", "new"):
            row = Row("other")
        if not isinstance(row, Row):
            return path.given(place, UNKNOWN)
        if not (isinstance(value, Column) and value.name == target[1]):
            value = self.event.stored(value, self.event.types.get(target[1], "") if row.base != "other" else "")
        given = dict(row.given) | {target[1]: value if len(target) == 2 else UNKNOWN}
        if row.base in ("old", "new") and Row(row.base) == replace(row, given=()):
            plain = self.event.column(Row(row.base), target[1])
            if given[target[1]] == plain:
                del given[target[1]]  # it has its first value again
        return path.given(place, replace(row, given=tuple(sorted(given.items(), key=lambda g: g[0]))))

    def fill(self, one: Fill, path: _Path) -> _Paths:
        expressions = selected(one.query) if one.query else None
        evaluator = self.evaluator(path)
        if expressions is not None and len(expressions) == len(one.targets) and self.is_each_its_own(one, expressions):
            return self.assign(path, one.targets, [evaluator.of(e) for e in expressions])
        return self.assign(path, one.targets, [[(UNKNOWN, World())] for _ in one.targets])

    def is_each_its_own(self, one: Fill, expressions: Sequence[Any]) -> bool:
        """Whether each target gets one expression, and not a row's columns one each."""
        if len(expressions) > 1 or len(self.placed(one.targets[0])) > 1:
            return True
        node = expressions[0]
        is_row = node.HasField("column_ref") and node.column_ref.fields[-1].HasField("a_star")
        return is_row or is_plain(self.types.get(self.placed(one.targets[0])[0], ""))

    def emptied(self, path: _Path, body: Iterable[plpgsql.Statement]) -> _Path:
        """The path where nothing is known any more of what these statements may have changed; a guess."""
        for target in plpgsql.written(body):
            path = self.put(path, target, UNKNOWN)
        return path.as_guess()

    def loop(self, one: Loop, path: _Path) -> _Paths:
        def enter(path: _Path) -> tuple[_Paths, _Paths]:
            if one.turns == "while":
                return self.split(one.condition, path)
            return ([path], []) if one.turns == "always" else ([path.as_guess()], [path.as_guess()])

        begun, after = enter(path)
        for number in range(2):
            for target in one.targets:
                begun = [self.put(p, target, UNKNOWN) for p in begun]
            outer, self.left = self.left, []
            ends = self.body(one.body, begun)
            for is_exit, label, p in self.left:
                if label not in ("", one.label):
                    outer.append((is_exit, label, p))
                elif is_exit:
                    after.append(p)
                else:
                    ends.append(p)
            self.left = outer
            if not one.is_endless:
                again = [enter(p) for p in ends] if one.turns == "while" else []
                after += [p for _, no in again for p in no] if again else [p.as_guess() for p in ends]
            if number or not ends:
                break
            begun = _merged(self.emptied(p, [one]) for p in ends)  # as any later turn finds things
            if one.turns == "while":
                begun = [p for b in begun for p in self.split(one.condition, b)[0]]
        return _merged(after)

    def block(self, one: Block, path: _Path) -> _Paths:
        outer, self.scope = self.scope, self.scope | ({one.label: ""} if one.label else {})
        self.depth += 1
        own: set[str] = set()
        paths = [path]
        for declared in one.declared:
            if declared.stands_for:
                place = self.scope.get(declared.stands_for, declared.stands_for)
            else:
                place = f"{declared.name}\0{self.depth}"
                own.add(place)
                paths = self.declare(declared, place, paths)
            self.scope = self.scope | {declared.name: place, f"{one.label}\0{declared.name}": place}
        raised, self.raised = self.raised, []
        before, self.left = self.left, []
        ends = self.body(one.body, paths)
        mine, self.raised = self.raised, raised
        for number, (caught, body) in enumerate(one.handlers):
            reached = [self.emptied(p, one.body) for p in paths]
            if number == 0 and plpgsql.OTHERS in caught:
                before_all = max(p.clash for p in paths)  # an error takes back what the block changed
                reached, mine = [*reached, *(replace(p, clash=before_all) for p in mine)], []
            ends += self.body(body, _merged(reached))
        self.scope = outer
        self.depth -= 1

        def closed(left: _Path) -> _Path:
            """The block's own variables end with it."""
            return replace(left, variables={n: v for n, v in left.variables.items() if n not in own})

        self.raised += [closed(p) for p in mine]
        for is_exit, label, p in self.left:
            if is_exit and label and label == one.label:
                ends.append(p)
            else:
                before.append((is_exit, label, closed(p)))
        self.left = before
        return _merged(closed(p) for p in ends)

    def declare(self, declared: plpgsql.Declared, place: str, paths: _Paths) -> _Paths:
        """Give a new variable its first value, which is said with the names that were there before it."""
        self.types[place] = declared.type
        first: Outcomes = [(NULL, World())]
        said = [self.values(declared.expression, p) if declared.expression else first for p in paths]
        return _merged(n for p, values in zip(paths, said, strict=True) for n in self.assign(p, [(place,)], [values]))


def _truths(condition: str, evaluator: Evaluator) -> Outcomes:
    node = expression(condition)
    return evaluator.truths(node) if node is not None else [(t, World(is_guess=True)) for t in (TRUE, FALSE)]


def _few(worlds: Iterable[World]) -> tuple[World, ...]:
    found = tuple(dict.fromkeys(worlds))
    return found if len(found) <= _WORLDS else (World(is_guess=True),)


def _merged(paths: Iterable[_Path]) -> _Paths:
    """Paths on which the variables hold the same are one; too many become one on which little is known."""
    found: dict[tuple[int, frozenset[tuple[str, Value]]], _Path] = {}
    for path in paths:
        key = path.clash, frozenset(path.variables.items())
        same = found.get(key)
        found[key] = path if same is None else replace(same, worlds=_few([*same.worlds, *path.worlds]))
    if len(found) <= _PATHS:
        return list(found.values())
    names = {n for p in found.values() for n in p.variables}
    held = {n: {p.variables.get(n, UNKNOWN) for p in found.values()} for n in names}
    clash = max(p.clash for p in found.values())
    return [_Path({n: v.pop() if len(v) == 1 else UNKNOWN for n, v in held.items()}, (World(is_guess=True),), clash)]

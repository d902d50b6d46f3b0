"""What an expression of a trigger can be while a foreign key's own query fires it, and which of that is certain.

Hides SQL's three-valued logic and what is known of the two rows: which columns the key sets, that the old row had a
whole key, that all else stays.  What may hold for some rows and not for others is kept as conditions on their
columns, so that two that exclude each other are noticed.  PostgreSQL's own parser reads the expressions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from itertools import combinations, product
from typing import Any

from wflo_schema.catalog.keys import plain_type

_FLIPPED = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}
_ORDER = frozenset(_FLIPPED)
_WHOLE = ("smallint", "integer", "bigint")
# What a literal of these types says is known, however it is written.
_READ = (*_WHOLE, "numeric", "boolean")
# Types that keep each value of these other types as it is.
_WIDER = {
    "integer": ("smallint",),
    "bigint": ("smallint", "integer"),
    "numeric": ("smallint", "integer", "bigint"),
}
# Of one value of these there are several words: now and today, 1 day and 24 hours.
_SPELLED_IN_MANY_WAYS = ("time", "date", "interval", "reg", '"char"', "?")
# Operators and functions that come with PostgreSQL and make NULL of any NULL; comparisons are below.
_STRICT_OPERATORS = frozenset("+ - * / % ^ & | # << >> ~ !~ ~* !~* @> <@ && ^@".split())
_STRICT_FUNCTIONS = frozenset(
    "length char_length character_length octet_length lower upper initcap btrim ltrim rtrim left right substr substring"
    " replace regexp_replace split_part starts_with strpos position reverse md5 abs sign ceil ceiling floor round trunc"
    " mod date_part date_trunc extract to_char array_length cardinality jsonb_typeof jsonb_array_length".split()
)
_MANY = 48


@dataclass(frozen=True, slots=True)
class Const:
    """A value that is known; NULL is None."""

    value: str | Decimal | bool | None


@dataclass(frozen=True, slots=True)
class Column:
    """What the old or the new row has in a column.  Where both have the same, it is the old row's."""

    row: str
    name: str


@dataclass(frozen=True, slots=True)
class Row:
    """A row that is there: old, new or another one, with columns that were given another value since.

    ``without`` are columns that a JSON image of it lacks; ``is_listed`` says ROW(r.*), which compares as SQL's
    rows do, NULL by NULL.
    """

    base: str
    given: tuple[tuple[str, Value], ...] = ()
    without: frozenset[str] = frozenset()
    is_listed: bool = False


@dataclass(frozen=True, slots=True)
class Tuple:
    """What (a, b) makes."""

    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Depth:
    """What pg_trigger_depth() says."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Anything at all."""


Value = Const | Column | Row | Tuple | Depth | Unknown
NULL, UNKNOWN, TRUE, FALSE = Const(None), Unknown(), Const(True), Const(False)
_BOOLEANS: dict[str, Value] = {
    **dict.fromkeys(("t", "true", "y", "yes", "on", "1"), TRUE),
    **dict.fromkeys(("f", "false", "n", "no", "off", "0"), FALSE),
}

# One condition on the columns of a row: ("=", column, constant), ("<>", …), ("null", column), ("some", column),
# ("holds", columns, text, truth), and of a key of several columns ("changed", column) and ("same", column).
Condition = tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class World:
    """Conditions under which something comes about.  A guess is not known to come about for any row at all."""

    conditions: frozenset[Condition] = frozenset()
    is_guess: bool = False


Outcomes = list[tuple[Value, World]]
_SURE = World()
_GUESS = World(is_guess=True)


@dataclass(frozen=True, slots=True)
class Event:
    """What a foreign key's own query does to the row that fires the trigger.

    ``action``: "" for a DELETE; for an UPDATE "c", "n" or "d", as pg_constraint has it, of the columns ``written``.
    ``changed`` are other columns that a trigger before this one may have changed, None: any.  ``not_null`` are
    columns that hold no NULL, ``computed`` the generated ones, NULL while a trigger changes the row.  ``types`` are as
    format_type() spells them, "?" where different texts may be equal; of a key that ``is_full``, MATCH FULL, no part
    alone is NULL.  ``known`` are TG_ variables in lower case; ``depth`` the least of pg_trigger_depth().
    ``tables`` are the names, schema first, by which a statement reaches the row, and whether it does by ONLY, too.
    ``checks`` are the CHECKs that every row of the table has passed, None: that is not known.
    ``is_last``: no trigger after this one gives the columns that the key sets other values.
    """

    operation: str
    action: str = ""
    written: frozenset[str] = frozenset()
    changed: frozenset[str] | None = frozenset()
    not_null: frozenset[str] = frozenset()
    is_new_key_whole: bool = True
    is_full: bool = False
    computed: frozenset[str] = frozenset()
    types: Mapping[str, str] = field(default_factory=dict, hash=False)
    known: Mapping[str, str] = field(default_factory=dict, hash=False)
    depth: int = 2
    is_row: bool = True
    tables: frozenset[tuple[str, str, bool]] = frozenset()
    checks: frozenset[str] | None = frozenset()
    is_last: bool = True

    def as_seen_by(self, source: str) -> Event:
        """Without the names of which a function does not speak: what is said of it holds for many tables then."""
        text = source.lower()
        asks_arguments = "tg_argv" in text
        known = {
            n: v for n, v in self.known.items() if n.partition("[")[0] in text or (asks_arguments and n == "tg_nargs")
        }
        types = {c: t for c, t in self.types.items() if c.lower() in text}
        tables = frozenset(t for t in self.tables if t[1].lower() in text or "execute" in text)

        def kept(names: frozenset[str]) -> frozenset[str]:  # that there are others counts, whatever they are called
            return frozenset(c if c in self.written or c.lower() in text or 'u&"' in text else "" for c in names)

        changed = None if self.changed is None else kept(self.changed)
        return replace(self, known=known, not_null=kept(self.not_null), changed=changed, types=types, tables=tables)

    def rows(self) -> dict[str, Value]:
        """What OLD and NEW are as the function begins."""
        old = self.is_row and self.operation != "INSERT"
        new = self.is_row and self.operation != "DELETE"
        return {"old": Row("old") if old else NULL, "new": Row("new") if new else NULL}

    def column(self, row: Value, name: str) -> Value:
        """What a row has in a column, as far as the key's own query says; UNKNOWN where it does not."""
        if row == NULL:
            return NULL
        if not isinstance(row, Row) or name in row.without:
            return UNKNOWN
        given = dict(row.given)
        if name in given:
            return given[name]
        if row.base not in ("old", "new") or name in self.computed:
            return UNKNOWN
        if row.base == "old":
            return Column("old", name)
        if name in self.written:
            is_open = self.changed is not None and name in self.changed
            return UNKNOWN if is_open else NULL if self.action == "n" else Column("new", name)
        is_kept = self.operation == "UPDATE" and self.changed is not None and name not in self.changed
        return Column("old" if is_kept else "new", name)

    def has_value(self, value: Value) -> bool | None:
        """Whether it is not NULL; None: for some rows."""
        if isinstance(value, Const):
            return value.value is not None
        if isinstance(value, Row | Depth | Tuple):
            return True
        if isinstance(value, Column):
            is_open = value.name not in self.written if self.changed is None else value.name in self.changed
            if value.row == "new" and is_open:
                return None  # until all triggers are done it may be NULL
            if value.name in self.not_null:
                return True
            if value.name in self.written:  # the old row's key was whole, or the action would not touch it
                return True if value.row == "old" or self.is_new_key_whole else None
        return None

    def stored(self, value: Value, type_: str) -> Value:
        """What is kept of a value in a variable or column of this type; UNKNOWN where it may become another one."""
        if value == NULL or isinstance(value, Row | Unknown):
            return value
        before, of_column, after = plain_type(type_).partition("%")
        type_ = self.types.get(before.rpartition(".")[2].strip(), "") if after.strip() == "type" else before + of_column
        if isinstance(value, Column):
            own = self.types.get(value.name, "")
            is_same = own in (type_, *_WIDER.get(type_, ())) or (type_ == "text" and _is_text(own))
            return value if is_same and own else UNKNOWN
        one = value.value if isinstance(value, Const) else None
        if isinstance(one, str):
            is_cut = one.endswith(" ") or type_.startswith("numeric(")
            return UNKNOWN if is_cut else literal(one, type_)
        is_kept = (
            (isinstance(one, bool) and type_ == "boolean")
            or (isinstance(one, Decimal) and type_ in _WHOLE and one == one.to_integral_value())
            or (isinstance(one, Decimal) and type_ == "numeric")
            or (isinstance(value, Depth) and type_ in _WHOLE)
        )
        return value if is_kept else UNKNOWN

    def can_be(self, conditions: frozenset[Condition]) -> bool | None:
        """Whether there can be a row like that; None: that is not known."""
        by_column: dict[str, list[Condition]] = {}
        for one in conditions:
            for name in _names((one,)):
                by_column.setdefault(name, []).append(one)
        never_null = self.not_null | self.written
        said = {_agree(its, name in never_null, self.types.get(name, "")) for name, its in by_column.items()}
        if any(("holds", one[1], one[2], not one[3]) in conditions for one in conditions if one[0] == "holds"):
            return False
        same = {one[1] for one in conditions if one[0] == "same"}
        if False in said or (same and same >= self.written):
            return False
        return None if None in said else True


def literal(text: str, type_: str) -> Value:
    """What a quoted literal is as a value of the type, as 1 of '01'; UNKNOWN where that is not known."""
    if _is_text(type_):
        return Const(text)
    if type_ == "boolean":
        return _BOOLEANS.get(text.strip().lower(), UNKNOWN)
    is_number = type_ in _WHOLE or type_.partition("(")[0] == "numeric"
    return Const(Decimal(text)) if is_number and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", text) else UNKNOWN


def is_plain(type_: str) -> bool:
    """Whether a variable of the type holds a text, a number or a boolean."""
    return _is_text(plain_type(type_)) or plain_type(type_).partition("(")[0] in _READ


def _is_text(type_: str) -> bool:
    return type_ in ("text", "name") or (type_.startswith("character varying") and not type_.endswith("]"))


def _differ(type_: str, one: object, other: object) -> bool:
    """Whether no value of the type can be equal to both, as '1' and '01' are to an integer."""
    if not isinstance(one, str) or not isinstance(other, str) or _is_text(type_):
        return one != other
    is_worded = one.isalpha() and other.isalpha() and not type_.startswith(_SPELLED_IN_MANY_WAYS)
    return is_worded and one.casefold() != other.casefold()


def _agree(conditions: Sequence[Condition], is_never_null: bool, type_: str) -> bool | None:
    """Whether one column can meet all of them."""
    kinds = {one[0] for one in conditions}
    if "null" in kinds and (is_never_null or kinds & {"=", "<>", "some", "holds"}):
        return False
    if {"changed", "same"} <= kinds:
        return False
    equal = {one[2] for one in conditions if one[0] == "="}
    other = {one[2] for one in conditions if one[0] == "<>"}
    if len({type(v) for v in equal | other}) > 1:
        return None  # 1 and '1'
    if equal & other or other >= {True, False}:
        return False
    if not all(_differ(type_, a, b) for a, b in combinations(equal | other, 2) if equal & {a, b}):
        return None
    if len(equal) > 1:
        return False
    loose = [one for one in conditions if one[0] == "holds"]
    return None if loose and len(loose) + len(equal) + len(other) > 1 else True


def both(event: Event, one: World, other: World) -> World | None:
    """What holds where both hold; None: nowhere."""
    conditions = one.conditions | other.conditions
    can = event.can_be(conditions) if conditions else True
    return None if can is False else World(conditions, one.is_guess or other.is_guess or can is None)


def _guesses(*values: Value) -> Outcomes:
    return [(v, _GUESS) for v in values]


_ANY_TRUTH = (TRUE, FALSE, NULL)


def _sure(value: Value) -> Outcomes:
    return [(value, _SURE)]


@lru_cache(maxsize=4096)
def expression(text: str) -> Any:
    """The parse tree of one expression; None where it is none."""
    import postgast

    try:
        (statement,) = postgast.parse(f"SELECT {text}").stmts
    except (postgast.PgQueryError, ValueError):
        return None
    select = statement.stmt.select_stmt
    return select.target_list[0].res_target.val if len(select.target_list) == 1 and _is_bare(select) else None


@lru_cache(maxsize=1024)
def columns_of(text: str) -> frozenset[str]:
    """The columns that an expression of a table names."""
    return frozenset(_columns_below(expression(text)))


def _columns_below(node: Any) -> Iterator[str]:
    if node is None:
        return
    if node.DESCRIPTOR.name == "ColumnRef":
        yield from (f.string.sval for f in node.fields if f.HasField("string"))
        return
    for one, value in node.ListFields():
        if one.message_type is not None:
            for inner in value if one.is_repeated else (value,):
                yield from _columns_below(inner)


@lru_cache(maxsize=512)
def selected(query: str) -> tuple[Any, ...] | None:
    """The expressions of a SELECT that reads no table, None where it does or is none."""
    import postgast

    try:
        (statement,) = postgast.parse(query).stmts
    except (postgast.PgQueryError, ValueError):
        return None
    select = statement.stmt.select_stmt
    return tuple(t.res_target.val for t in select.target_list) if select.target_list and _is_bare(select) else None


def _is_bare(select: Any) -> bool:
    fields = {f.name for f, _ in select.ListFields()}
    return fields <= {"target_list", "limit_option", "op"}


def is_of_a_row(event: Event, world: World) -> bool | None:
    """Whether the table can hold a row like that: whether its CHECKs allow one; None: that is not known."""
    worlds = [world]
    for text in sorted(event.checks or ()):
        names = {name for w in worlds for name in _names(w.conditions)}
        node = expression(text) if columns_of(text) & names else None
        if node is not None:
            said = [w for value, w in Evaluator(event, {}, Row("old")).truths(node) if value != FALSE]
            joined = [j for one, check in product(worlds, said) if (j := both(event, one, check)) is not None]
            worlds = sorted(dict.fromkeys(joined), key=lambda w: w.is_guess)[:_MANY]
    if not worlds:
        return False
    is_known = event.checks is not None or not world.conditions
    return True if is_known and not worlds[0].is_guess else None


def _names(conditions: Iterable[Condition]) -> Iterator[str]:
    for one in conditions:
        yield from one[1] if one[0] == "holds" else (one[1],)


@dataclass(slots=True)
class Evaluator:
    """Evaluates expressions where variables have these values."""

    event: Event
    variables: Mapping[str, Value]
    bare: Value | None = None
    """Whose columns are meant where a name stands alone, None: no row's."""
    generated: Mapping[str, str] = field(default_factory=dict)
    """What columns of that row are computed from, where each statement is over."""

    def text(self, text: str) -> Outcomes:
        """Parse an expression and evaluate it; UNKNOWN where it is empty or cannot be parsed."""
        node = expression(text) if text else None
        return self.of(node) if node is not None else _guesses(UNKNOWN)

    def of(self, node: Any) -> Outcomes:
        """All that it can be."""
        kind = node.WhichOneof("node")
        handle = _HANDLERS.get(kind)
        return _fewer(handle(self, getattr(node, kind))) if handle else _guesses(UNKNOWN)

    def truths(self, node: Any) -> Outcomes:
        """The same of a condition: TRUE, FALSE or NULL."""
        return _fewer([outcome for one in self.of(node) for outcome in self._truth(*one)])

    def _truth(self, value: Value, world: World) -> Iterator[tuple[Value, World]]:
        if isinstance(value, Const) and (value.value is None or isinstance(value.value, bool)):
            yield value, world
        elif isinstance(value, Column) and value.row == "old":
            for truth, conditions in ((TRUE, ("=", value.name, True)), (FALSE, ("=", value.name, False))):
                yield from self._if(truth, world, conditions)
            yield from self._if(NULL, world, ("null", value.name))
        else:
            yield from ((t, replace(world, is_guess=True)) for t in _ANY_TRUTH)

    def _if(self, value: Value, world: World, condition: Condition) -> Outcomes:
        joined = both(self.event, world, World(frozenset({condition})))
        return [] if joined is None else [(value, joined)]

    def pairs(self, one: Outcomes, other: Outcomes) -> Iterator[tuple[Value, Value, World]]:
        """Combine the outcomes of two operands, without the combinations that exclude each other."""
        for (a, left), (b, right) in product(one, other):
            world = both(self.event, left, right)
            if world is not None:
                yield a, b, world

    def column_ref(self, node: Any) -> Outcomes:
        """Evaluate ``name``, ``row.name`` or ``row.*``."""
        parts = [f.string.sval if f.HasField("string") else "*" for f in node.fields]
        if len(parts) == 1:
            return self.variable(parts[0])
        value = self.variables.get(parts[0], UNKNOWN)
        if len(parts) > 2:
            return _guesses(UNKNOWN)
        return self.known(value if parts[1] == "*" else self.event.column(value, parts[1]))

    def known(self, value: Value) -> Outcomes:
        """Turn a value into its only outcome, or into a guess where it is UNKNOWN."""
        return _guesses(UNKNOWN) if value == UNKNOWN else _sure(value)

    def variable(self, name: str) -> Outcomes:
        """Evaluate a variable of the function, or one of PL/pgSQL's own: tg_op, tg_nargs, tg_argv[0]."""
        if name in self.variables:
            return self.known(self.variables[name])
        if name == "tg_op":
            return _sure(Const(self.event.operation))
        if name in self.event.known:
            text = self.event.known[name]
            return _sure(Const(Decimal(text) if name == "tg_nargs" else text))
        if name.startswith("tg_argv[") and int(name[8:-1]) >= int(self.event.known.get("tg_nargs", "2147483647")):
            return _sure(NULL)
        if name in self.generated:
            type_ = self.event.types.get(name, "")
            return [_kept(self.event.stored(v, type_), w) for v, w in self.text(self.generated[name])]
        return _guesses(UNKNOWN) if self.bare is None else self.known(self.event.column(self.bare, name))

    def constant(self, node: Any) -> Outcomes:
        """Evaluate a literal: a text, a number, a boolean or NULL."""
        kind = node.WhichOneof("val")
        if node.isnull:
            return _sure(NULL)
        if kind == "sval":
            return _sure(Const(node.sval.sval))
        if kind == "boolval":
            return _sure(Const(node.boolval.boolval))
        if kind in ("ival", "fval"):
            try:
                return _sure(Const(Decimal(node.ival.ival if kind == "ival" else node.fval.fval)))
            except InvalidOperation:
                pass
        return _guesses(UNKNOWN)

    def cast(self, node: Any) -> Outcomes:
        """Evaluate CAST to a type that is not cut to a length."""
        is_plain = not (node.type_name.typmods or node.type_name.array_bounds)
        type_ = plain_type(node.type_name.names[-1].string.sval) if node.type_name.names and is_plain else ""

        def become(value: Value) -> Value:
            if type_ == "integer" and isinstance(value, Const) and isinstance(value.value, bool):
                return Const(Decimal(value.value))  # only a cast does that
            return self.event.stored(value, type_)

        return [_kept(become(value), world) for value, world in self.of(node.arg)]

    def indirection(self, node: Any) -> Outcomes:
        """Evaluate ``(row).name``, ``(row).*`` and ``tg_argv[0]``."""
        (first, *more) = node.indirection
        if more:
            return _guesses(UNKNOWN)
        if first.HasField("string"):
            return [_kept(self.event.column(v, first.string.sval), w) for v, w in self.of(node.arg)]
        if first.HasField("a_star"):
            return self.of(node.arg)
        if first.HasField("a_indices") and node.arg.HasField("column_ref"):
            names = [f.string.sval for f in node.arg.column_ref.fields]
            place = first.a_indices.uidx.a_const
            if names == ["tg_argv"] and first.a_indices.uidx.HasField("a_const"):
                return self.variable(f"tg_argv[{place.ival.ival}]")
        return _guesses(UNKNOWN)

    def row(self, node: Any) -> Outcomes:
        """Evaluate ROW(…), and ROW(r.*) as the row itself."""
        args = list(node.args)
        if len(args) == 1 and args[0].HasField("column_ref") and args[0].column_ref.fields[-1].HasField("a_star"):
            return [
                (replace(v, is_listed=True), w) if isinstance(v, Row) else (UNKNOWN, replace(w, is_guess=True))
                for v, w in self.of(args[0])
            ]
        found: list[tuple[tuple[Value, ...], World]] = [((), _SURE)]
        for arg in args:
            outcomes = self.of(arg)
            found = [
                ((*values, value), world)
                for (values, before), (value, after) in product(found, outcomes)
                if (world := both(self.event, before, after)) is not None
            ]
            if len(found) > _MANY:
                return _guesses(UNKNOWN)
        return [(Tuple(values), world) for values, world in found]

    def coalesce(self, node: Any) -> Outcomes:
        """Evaluate COALESCE: the first argument that is not NULL, which may differ by row."""
        found: Outcomes = []
        left = [_SURE]
        for arg in node.args:
            still: list[World] = []
            for world, (value, other) in product(left, self.of(arg)):
                joined = both(self.event, world, other)
                if joined is None:
                    continue
                for is_null, under in self._is_null(value, joined):
                    if is_null:
                        still.append(under)
                    else:
                        found.append((value, under))
            left = still if len(still) <= _MANY else [_GUESS]
        return found + [(NULL, world) for world in left]

    def _is_null(self, value: Value, world: World) -> Iterator[tuple[bool, World]]:
        has = self.event.has_value(value)
        if has is not None:
            yield not has, world
        elif isinstance(value, Column) and value.row == "old":
            for is_null, kind in ((True, "null"), (False, "some")):
                joined = both(self.event, world, World(frozenset({(kind, value.name)})))
                if joined is not None:
                    yield is_null, joined
        else:
            yield from ((n, replace(world, is_guess=True)) for n in (True, False))

    def case(self, node: Any) -> Outcomes:
        """Evaluate CASE in both forms; without ELSE it is NULL."""
        found: Outcomes = []
        left = [_SURE]
        for when in (w.case_when for w in node.args):
            if node.HasField("arg"):
                tests = self._compare("=", self.of(node.arg), self.of(when.expr))
            else:
                tests = self.truths(when.expr)
            still: list[World] = []
            for world, (truth, other) in product(left, tests):
                joined = both(self.event, world, other)
                if joined is None:
                    continue
                if truth != TRUE:
                    still.append(joined)
                    continue
                found += self._under(joined, self.of(when.result))
            left = still if len(still) <= _MANY else [_GUESS]
        default = self.of(node.defresult) if node.HasField("defresult") else _sure(NULL)
        return found + [o for world in left for o in self._under(world, default)]

    def _under(self, world: World, outcomes: Outcomes) -> Outcomes:
        joined = ((v, both(self.event, world, w)) for v, w in outcomes)
        return [(v, w) for v, w in joined if w is not None]

    def call(self, node: Any) -> Outcomes:
        """Evaluate a call: pg_trigger_depth(), or a function that makes JSON or hstore of a whole row."""
        name = node.funcname[-1].string.sval
        if name == "pg_trigger_depth" and not node.args:
            return _sure(Depth())
        if name in ("num_nulls", "num_nonnulls") and not node.func_variadic:
            parts = [[(n, w) for v, world in self.of(a) for n, w in self._is_null(v, world)] for a in node.args]
            found: list[tuple[int, World]] = [(0, _SURE)]
            for part in parts:
                joined = (
                    (n + (null == (name == "num_nulls")), both(self.event, w, u)) for n, w in found for null, u in part
                )
                found = list(dict.fromkeys((n, w) for n, w in joined if w is not None))[:_MANY]
            return [(Const(Decimal(n)), w) for n, w in found]
        if name in ("to_jsonb", "to_json", "row_to_json", "hstore") and len(node.args) == 1:
            return [_kept(v if isinstance(v, Row) else UNKNOWN, w) for v, w in self.of(node.args[0])]
        if name in _STRICT_FUNCTIONS and _is_builtin(node.funcname) and node.args:
            return self._strict([self.of(a) for a in node.args])
        return _guesses(UNKNOWN)

    def _strict(self, operands: Sequence[Outcomes]) -> Outcomes:
        """NULL of NULL, and who knows what of the rest."""
        said = self._all([[(v if v == NULL else TRUE, w) for v, w in o] for o in operands], is_and=True)
        return [_kept(NULL if v == NULL else UNKNOWN, w) for v, w in said]

    def logic(self, node: Any) -> Outcomes:
        """Evaluate AND, OR and NOT in three-valued logic."""
        parts = [self.truths(a) for a in node.args]
        name = node.DESCRIPTOR.fields_by_name["boolop"].enum_type.values_by_number[node.boolop].name
        if name == "NOT_EXPR":
            return [(_not(v), w) for v, w in parts[0]]
        return self._all(parts, name == "AND_EXPR")

    def _all(self, parts: Iterable[Outcomes], is_and: bool) -> Outcomes:
        """AND, or OR: what decides is FALSE or TRUE; then NULL counts; an empty one is the other."""
        decisive, found = (FALSE, _sure(TRUE)) if is_and else (TRUE, _sure(FALSE))
        for part in parts:
            joined: Outcomes = [(v, w) for v, w in found if v == decisive]
            for a, b, world in self.pairs([o for o in found if o[0] != decisive], part):
                joined.append((decisive if b == decisive else NULL if NULL in (a, b) else b, world))
            found = _fewer(joined)
        return found

    def null_test(self, node: Any) -> Outcomes:
        """Evaluate IS NULL and IS NOT NULL."""
        asks_null = node.DESCRIPTOR.fields_by_name["nulltesttype"].enum_type.values_by_number[node.nulltesttype].name
        found: Outcomes = []
        for value, world in self.of(node.arg):
            if isinstance(value, Row):
                found += self._row_is(value, world, asks_null == "IS_NULL")
                continue
            said = [self._null_is(v, asks_null == "IS_NULL") for v in _parts(value)]
            found += self._under(world, self._all(said, is_and=True))
        return found

    def _null_is(self, value: Value, asked: bool) -> Outcomes:
        return [(Const(is_null == asked), w) for is_null, w in self._is_null(value, _SURE)]

    def _row_is(self, row: Row, world: World, asks_null: bool) -> Outcomes:
        """A row IS NULL where all its columns are, and IS NOT NULL where none is."""
        said = [self.event.has_value(self.event.column(row, n)) for n in self.event.written | self.event.not_null]
        if asks_null in said:
            return [(FALSE, world)]
        return [(t, replace(world, is_guess=True)) for t in (TRUE, FALSE)]

    def boolean_test(self, node: Any) -> Outcomes:
        """Evaluate IS [NOT] TRUE, FALSE and UNKNOWN, which are never NULL."""
        kind = node.DESCRIPTOR.fields_by_name["booltesttype"].enum_type.values_by_number[node.booltesttype].name
        wanted = {"TRUE": TRUE, "FALSE": FALSE, "UNKNOWN": NULL}[kind.removeprefix("IS_").removeprefix("NOT_")]
        return [(Const((v == wanted) != ("NOT_" in kind)), w) for v, w in self.truths(node.arg)]

    def operator(self, node: Any) -> Outcomes:
        """Evaluate an operator between two operands, IN, ANY and ALL, LIKE, and IS DISTINCT FROM."""
        kind = node.DESCRIPTOR.fields_by_name["kind"].enum_type.values_by_number[node.kind].name
        name = node.name[-1].string.sval
        if not node.HasField("lexpr"):
            return _guesses(UNKNOWN)
        left = self.of(node.lexpr)
        if kind in ("AEXPR_IN", "AEXPR_OP_ANY", "AEXPR_OP_ALL"):
            return self._among(kind, name, left, node.rexpr)
        if kind not in ("AEXPR_OP", "AEXPR_DISTINCT", "AEXPR_NOT_DISTINCT", "AEXPR_LIKE", "AEXPR_ILIKE"):
            return _guesses(*_ANY_TRUTH) if "BETWEEN" in kind else _guesses(UNKNOWN)
        right = self.of(node.rexpr)
        if kind == "AEXPR_OP" and name == "+":
            return [_kept(_sum(a, b), w) for a, b, w in self.pairs(left, right)]
        if kind == "AEXPR_OP" and name == "-" and any(isinstance(v, Row) for v, _ in left):
            return self._without(left, node.rexpr)
        if kind == "AEXPR_OP" and name in _STRICT_OPERATORS and _is_builtin(node.name):
            return self._strict([left, right])
        compared = {"AEXPR_DISTINCT": "distinct", "AEXPR_NOT_DISTINCT": "not distinct"}.get(kind, name)
        return self._compare(compared, left, right)

    def _among(self, kind: str, name: str, left: Outcomes, listed: Any) -> Outcomes:
        cast = listed.type_cast.type_name if listed.HasField("type_cast") else None
        if cast is not None and plain_type(cast.names[-1].string.sval) in ("text", "character varying"):
            listed = listed.type_cast.arg
        items = listed.list.items if kind == "AEXPR_IN" else listed.a_array_expr.elements
        if not items or name not in ("=", "<>"):
            return _guesses(*_ANY_TRUTH)
        parts = [self._compare(name, left, self.of(item)) for item in items]
        return self._all(parts, is_and=name == "<>" if kind == "AEXPR_IN" else kind == "AEXPR_OP_ALL")

    def _without(self, left: Outcomes, taken: Any) -> Outcomes:
        """The image of a row without columns: to_jsonb(NEW) - 'column', or - ARRAY['one', 'other']."""
        while taken.HasField("type_cast"):
            taken = taken.type_cast.arg
        items = taken.a_array_expr.elements if taken.HasField("a_array_expr") else [taken]
        names = {i.a_const.sval.sval for i in items if i.HasField("a_const") and i.a_const.HasField("sval")}
        if len(names) < len(items) or any("{" in n for n in names):
            return _guesses(UNKNOWN)
        return [_kept(replace(v, without=v.without | names) if isinstance(v, Row) else UNKNOWN, w) for v, w in left]

    def _compare(self, name: str, left: Outcomes, right: Outcomes) -> Outcomes:
        found: Outcomes = []
        for a, b, world in self.pairs(left, right):
            for truth, under in self._compared(name, a, b):
                joined = both(self.event, world, under)
                if joined is not None:
                    found.append((truth, joined))
        return _fewer(found)

    def _compared(self, name: str, a: Value, b: Value) -> Outcomes:
        if NULL in (a, b) and name in ("=", "<>", "*=", "*<>", *_ORDER, "~~", "!~~", "~~*", "!~~*"):
            return _sure(NULL)
        if name in ("distinct", "not distinct", "*<>", "*="):
            found = self._distinct(a, b)
            return found if name in ("distinct", "*<>") else [(_not(v), w) for v, w in found]
        if isinstance(b, Depth):
            a, b, name = b, a, _FLIPPED.get(name, name)
        if isinstance(a, Depth):
            return self._depth(name, b)
        if isinstance(a, Row) and isinstance(b, Row) and name in ("=", "<>"):
            found = self._rows_equal(a, b) if a.is_listed and b.is_listed else _negated(self._distinct(a, b))
            return found if name == "=" else _negated(found)
        if isinstance(a, Tuple) and isinstance(b, Tuple) and len(a.values) == len(b.values) and name in ("=", "<>"):
            found = self._all([self._compared("=", x, y) for x, y in zip(a.values, b.values, strict=True)], is_and=True)
            return found if name == "=" else _negated(found)
        if isinstance(a, Const) and isinstance(b, Const):
            return _constants(name, a, b)
        return self._of_columns(name, a, b)

    def _of_columns(self, name: str, a: Value, b: Value) -> Outcomes:
        """A comparison in which at least one side is a column."""
        if isinstance(b, Column) and not isinstance(a, Column):
            a, b, name = b, a, _FLIPPED.get(name, name)
        if isinstance(a, Column) and isinstance(b, Const) and isinstance(b.value, str):
            type_ = self.event.types.get(a.name, "")
            b = literal(b.value, type_) if type_.partition("(")[0] in _READ else b
        if not isinstance(a, Column) or not isinstance(b, Column | Const):
            return _guesses(*_ANY_TRUTH)
        if name in ("=", "<>") and isinstance(b, Column) and a.name == b.name:
            if a == b:
                is_null = self._is_null(a, _SURE)
                found: Outcomes = [(NULL if n else TRUE, w) for n, w in is_null]
            else:
                found = _negated(self._changed(a, b))
                found += [] if self.event.has_value(a) and self.event.has_value(b) else _guesses(NULL)
            return found if name == "=" else _negated(found)
        if a == b and name in _ORDER:
            return [(NULL if n else Const(name in ("<=", ">=")), w) for n, w in self._is_null(a, _SURE)]
        columns = [c for c in (a, b) if isinstance(c, Column)]
        if any(c.row != "old" for c in columns) or name not in ("=", "<>", *_ORDER, "~~", "!~~", "~~*", "!~~*"):
            return _guesses(*_ANY_TRUTH)
        nulls = [(NULL, World(frozenset({("null", c.name)}))) for c in columns if self.event.has_value(c) is not True]
        if isinstance(b, Const) and name in ("=", "<>"):
            is_so, is_not = World(frozenset({("=", a.name, b.value)})), World(frozenset({("<>", a.name, b.value)}))
            return [(Const(name == "="), is_so), (Const(name == "<>"), is_not), *nulls]
        names = frozenset(c.name for c in columns)
        return [
            *((Const(t), World(frozenset({("holds", names, f"{a} {name} {b}", t)}))) for t in (True, False)),
            *nulls,
        ]

    def _distinct(self, a: Value, b: Value) -> Outcomes:
        if NULL in (a, b):
            other = b if a == NULL else a
            return [(Const(not n), w) for n, w in self._is_null(other, _SURE)]
        if isinstance(a, Row) and isinstance(b, Row):
            return self._rows_distinct(a, b)
        if isinstance(a, Tuple) and isinstance(b, Tuple) and len(a.values) == len(b.values):
            return self._all([self._distinct(x, y) for x, y in zip(a.values, b.values, strict=True)], is_and=False)
        if isinstance(a, Column) and isinstance(b, Column) and a.name == b.name:
            return _sure(FALSE) if a == b else self._changed(a, b)
        if isinstance(a, Const) and isinstance(b, Const):
            return _constants("<>", a, b)
        found = self._of_columns("<>", a, b)
        if isinstance(a, Const) or isinstance(b, Const):
            return [(TRUE if v == NULL else v, w) for v, w in found]  # the column alone is NULL
        return [o for o in found if o[0] != NULL] + _guesses(TRUE, FALSE)

    def _changed(self, a: Column, b: Column) -> Outcomes:
        """Whether the key's query changed this column: one at least."""
        if a.name not in self.event.written:
            return _guesses(TRUE, FALSE)
        if len(self.event.written) == 1:
            return _sure(TRUE)
        return [
            (Const(is_so), World(frozenset({(kind, a.name)}))) for is_so, kind in ((True, "changed"), (False, "same"))
        ]

    def _each(self, a: Row, b: Row) -> tuple[list[tuple[Value, Value]], bool]:
        """The columns in which two rows can differ, and whether those are all."""
        event = self.event
        names = {*event.written, *dict(a.given), *dict(b.given)} - (a.without | b.without)
        is_all = {a.base, b.base} <= {"old", "new"} and a.without == b.without and event.changed is not None
        changed = set(event.changed or ()) if a.base != b.base else set()
        pairs = [(event.column(a, n), event.column(b, n)) for n in sorted(names)]
        return pairs, is_all and not changed - a.without

    def _rows_distinct(self, a: Row, b: Row) -> Outcomes:
        pairs, is_all = self._each(a, b)
        found = self._all([self._distinct(x, y) for x, y in pairs], is_and=False)
        return (
            found
            if is_all
            else [(v, w if v == TRUE else replace(w, is_guess=True)) for v, w in found]
            + ([] if all(v == TRUE for v, _ in found) else _guesses(TRUE))
        )

    def _rows_equal(self, a: Row, b: Row) -> Outcomes:
        """As SQL compares lists: NULL with anything is NULL, and any other column may hold one."""
        pairs, is_all = self._each(a, b)
        found = self._all([self._compared("=", x, y) for x, y in pairs], is_and=True)
        if all(v == FALSE for v, _ in found):
            return found
        if is_all and all(v != TRUE for v, _ in found):
            return found
        return [(v, replace(w, is_guess=True)) for v, w in found] + _guesses(*_ANY_TRUTH)

    def _depth(self, name: str, other: Value) -> Outcomes:
        """The least depth is that of a statement on the referenced table; a key's query can be at any greater one."""
        if not isinstance(other, Const) or not isinstance(other.value, Decimal):
            return _guesses(*_ANY_TRUTH)
        least, wanted = Decimal(self.event.depth), other.value
        tests: dict[str, Callable[[Decimal], bool]] = {
            "=": lambda d: d == wanted,
            "<>": lambda d: d != wanted,
            "<": lambda d: d < wanted,
            "<=": lambda d: d <= wanted,
            ">": lambda d: d > wanted,
            ">=": lambda d: d >= wanted,
        }
        if name not in tests:
            return _guesses(*_ANY_TRUTH)
        here = tests[name](least)
        deeper = {tests[name](d) for d in (least + 1, max(least + 1, wanted), wanted + 1) if d > least}
        return [(Const(here), _SURE), *((Const(d), _GUESS) for d in deeper if d != here)]


def _is_builtin(names: Sequence[Any]) -> bool:
    """Whether a function or operator of PostgreSQL's own names is that one, and not a namesake in another schema."""
    return len(names) == 1 or names[0].string.sval == "pg_catalog"


def _parts(value: Value) -> tuple[Value, ...]:
    """What is asked where it is asked whether a value is NULL: of (a, b), each."""
    return value.values if isinstance(value, Tuple) else (value,)


def _kept(value: Value, world: World) -> tuple[Value, World]:
    return value, replace(world, is_guess=True) if value == UNKNOWN else world


def _sum(a: Value, b: Value) -> Value:
    if NULL in (a, b):
        return NULL
    if not (isinstance(a, Const) and isinstance(b, Const)):
        return UNKNOWN
    numbers = [v for v in (a.value, b.value) if isinstance(v, Decimal)]
    return Const(sum(numbers, Decimal())) if len(numbers) == 2 else UNKNOWN


def _not(value: Value) -> Value:
    return Const(not value.value) if isinstance(value, Const) and isinstance(value.value, bool) else value


def _negated(outcomes: Outcomes) -> Outcomes:
    return [(_not(v), w) for v, w in outcomes]


def _constants(name: str, a: Const, b: Const) -> Outcomes:
    one, other = a.value, b.value
    if name in ("=", "<>") and type(one) is type(other):
        return _sure(Const((one == other) == (name == "=")))
    if name in _ORDER and isinstance(one, Decimal) and isinstance(other, Decimal):
        is_so = {"<": one < other, ">": one > other, "<=": one <= other, ">=": one >= other}[name]
        return _sure(Const(is_so))
    return _guesses(*_ANY_TRUTH)


def _fewer(outcomes: Outcomes) -> Outcomes:
    """Each once; where they are too many, what they can be without the conditions."""
    found = list(dict.fromkeys(outcomes))
    if len(found) > _MANY:
        found = _guesses(*dict.fromkeys(v for v, _ in found))
    return found


_HANDLERS: dict[str, Callable[[Evaluator, Any], Outcomes]] = {
    "column_ref": Evaluator.column_ref,
    "a_const": Evaluator.constant,
    "type_cast": Evaluator.cast,
    "a_indirection": Evaluator.indirection,
    "row_expr": Evaluator.row,
    "coalesce_expr": Evaluator.coalesce,
    "case_expr": Evaluator.case,
    "func_call": Evaluator.call,
    "bool_expr": Evaluator.logic,
    "null_test": Evaluator.null_test,
    "boolean_test": Evaluator.boolean_test,
    "a_expr": Evaluator.operator,
}

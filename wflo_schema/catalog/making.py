"""The statements that make a whole catalog in an empty database, in an order in which they load.

Hides what is written with a table and what after it, and what has to be made before what mentions it.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from wflo_schema.catalog import mend
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.mend import QUALIFIED, SPELLED
from wflo_schema.catalog.objects import MEANS, NOTHING, ON_TABLE, TABLES, VIEWS, Catalog, Difference, Object, Path
from wflo_schema.connect import versions
from wflo_schema.names import qualified, quote

# Attributes that are written where the table is made.
WRITTEN_WITH_TABLE = frozenset(
    {"persistence", "partition key", "partition of", "inherits", "access method", "options", "server"}
    | {"foreign options"}
)
WRITTEN_WITH_COLUMN = frozenset(
    {"position", "type", "not null", "not null constraint", "not null inherited", "default", "generated", "identity"}
    | {"identity sequence", "collation", "inherited", "foreign options"}
)
# What tables may need: made together with them, each after what it mentions.
_FIRST = MEANS | {
    "foreign data wrapper",
    "foreign server",
    "language",
    "access method",
    "operator family",
    "operator class",
    "text search parser",
    "text search template",
    "sequence",
}
_VALIDATED = ("NOT NULL NOT VALID", "NOT NULL")
_LAST = ON_TABLE | {"statistics", "event trigger", "publication"}

_MULTIRANGE = re.compile(rf"MULTIRANGE_TYPE_NAME = ({SPELLED}\.{SPELLED})")
_OPERATOR = re.compile(rf"OPERATOR(?:\(| \d+ )({SPELLED})\.([-+*/<>=~!@#%^&|`?]+)")

# Kinds without a schema, and how a statement names one.
_UNQUALIFIED: Mapping[str, re.Pattern[str]] = {
    "language": re.compile(rf"\n LANGUAGE ({SPELLED})|^CREATE TRANSFORM .* LANGUAGE ({SPELLED})"),
    "access method": re.compile(rf" USING ({SPELLED})"),
    "foreign data wrapper": re.compile(rf" FOREIGN DATA WRAPPER ({SPELLED})"),
    "foreign server": re.compile(rf" SERVER ({SPELLED})"),
}

# What every new database holds.
_AS_MADE: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]] = {
    ("public",): (("comment", "standard public schema"),),
    ("plpgsql",): (("comment", "PL/pgSQL procedural language"),),
}


@dataclass(frozen=True, slots=True, eq=False)
class _Making:
    """One statement, or several that belong together: what it is for, the name that others call it, its text."""

    label: str
    name: str
    text: str


def making_statements(want: Catalog) -> tuple[list[str], tuple[str, ...]]:
    """Every statement in an order in which they load, and what cannot be written."""
    plan = TablePlan(want)
    left_out = [*plan.inherits_elsewhere(), *plan.not_made()]
    rest = compare_catalogs(plan.made(with_views=True), plan.loose())
    views = compare_catalogs(plan.made(with_views=False), plan.loose())
    shown = [d for d in views if d.kind in VIEWS and not d.attribute]
    unmade = [d for d in (*rest, *shown) if not d.mend and not d.cosmetic]
    left_out += [_label(d) for d in unmade]
    makers = [*_shells(want), *(_making(d) for d in rest if d.kind in _FIRST and d.have == NOTHING and d.mend)]
    makers += [_Making(f"{t.kind} {t.name}", t.name, plan.create(t)) for t in plan.tables.values()]
    showing = [_Making(_label(d), d.object, d.mend) for d in shown if d.mend]
    makers, showing = _with_what_needs_views(makers, showing)
    first = {_label(d) for d in rest if d.kind in _FIRST and d.have == NOTHING}
    after = [d for d in rest if _label(d) not in first and d.kind not in ("schema", "extension") and d.mend]
    of_views = frozenset(v.name for v in plan.views.values())
    shown_late = frozenset(m.name for m in showing)
    is_late = [
        d.kind in _LAST
        or (d.kind == "column" and d.attribute == "default")
        or (d.kind in ("index", "column") and _is_of(d, of_views))
        or _is_of(d, shown_late)
        for d in after
    ]
    late = list(itertools.compress(after, is_late))
    middle = list(itertools.compress(after, map(operator.not_, is_late)))
    steps = [_Making(o.kind, "", f"CREATE SCHEMA {o.name};") for o in plan.schemas if o.path != ("public",)]
    of_database = [d for d in rest if d.kind in ("schema", "extension")]
    distributed = [d for d in of_database if d.attribute == "distributed"]
    steps += [_Making(_label(d), "", d.mend) for d in of_database if d not in distributed]
    makers, of_domains = _without_circles_of_domains(makers, want)
    made, in_circles = _in_order([_first_line(m) for m in makers])
    steps += [*made, *of_domains]
    steps += [_Making(m.label, "", m.text.partition("\n")[2]) for m in makers if m.label.startswith("sequence ")]
    steps += [_Making(f"table {t.name}: inherits", "", text) for t, text in plan.joins()]
    middle.sort(key=lambda d: d.kind != "sequence")  # of a table that is distributed Citus alters no sequence
    steps += [_after(d) for d in middle]
    steps += [_Making(f"{o.kind} {o.name}: validated", "", text) for o, text in plan.validations()]
    steps += [_after(d) for d in distributed]
    made, more_in_circles = _in_order(showing, frozenset(m.name for m in makers))
    steps += made
    steps += [_after(d) for d in late]
    missing = {d.object.partition("(")[0] for d in unmade if not d.attribute} | {
        f"{d.kind} {d.object}" for d in unmade if not d.attribute
    }
    cut = (*in_circles, *more_in_circles)
    written, dropped = _without([s for s in steps if s not in cut], missing | {one.name for one in cut})
    return written, tuple(dict.fromkeys((*left_out, *(one.label for one in cut), *dropped)))


def _label(d: Difference) -> str:
    return f"{d.kind} {d.object}" + (f": {d.attribute}" if d.attribute else "")


def _making(d: Difference) -> _Making:
    is_unqualified = d.kind in _UNQUALIFIED
    return _Making(_label(d), f"{d.kind} {d.object}" if is_unqualified else d.object.partition("(")[0], d.mend)


def _is_of(d: Difference, relations: frozenset[str]) -> bool:
    """Whether it is of one of these relations, or of a column or an index of it."""
    whose = QUALIFIED.match(d.object)
    return whose is not None and whose[0] in relations and d.object[whose.end() : whose.end() + 1] in ("", ".")


def _first_line(one: _Making) -> _Making:
    return replace(one, text=one.text.partition("\n")[0]) if one.label.startswith("sequence ") else one


def _after(d: Difference) -> _Making:
    return _Making(_label(d), "", at_once(d.mend, is_column=d.kind == "column" and bool(d.attribute)))


def _shells(want: Catalog) -> Iterator[_Making]:
    """Types whose own functions take them: known by name first."""
    for one in want.objects:
        definition = one.get("definition")
        if one.kind == "type" and (definition.startswith("BASE ") or ", CANONICAL = " in definition):
            yield _Making(f"type {one.name}", one.name, f"CREATE TYPE {one.name};")


def _without(steps: Sequence[_Making], missing: set[str]) -> tuple[list[str], list[str]]:
    """The texts that need nothing of what is missing, and labels of those that do, and are therefore left out."""
    written: list[str] = []
    dropped: list[str] = []
    for step in steps:
        if not step.text:
            continue
        if missing and _mentions(step) & missing:
            dropped.append(step.label)
            missing |= {step.name} - {""}
        else:
            written.append(step.text)
    return written, dropped


class TablePlan:
    """How tables are made: what their own statement says, what they inherit, what follows."""

    def __init__(self, want: Catalog) -> None:
        self.want = want
        self.tables = {o.path: o for o in want.objects if o.kind in TABLES}
        self.views = {o.path: o for o in want.objects if o.kind in VIEWS}
        self.schemas = [o for o in want.objects if o.kind == "schema"]
        self._names = frozenset(t.name for t in self.tables.values())
        self._columns: dict[Path, list[Object]] = {}
        for one in want.objects:
            if one.kind == "column" and one.path[:2] in self.tables:
                self._columns.setdefault(one.path[:2], []).append(one)
        for columns in self._columns.values():
            columns.sort(key=lambda c: int(c.get("position")))
        self._entangled = _entangled_functions(want)
        self._has_names = versions.NOT_NULL_CONSTRAINTS.is_in(want.server_version)

    def made(self, *, with_views: bool) -> Catalog:
        """The catalog once the tables are there, and the views, and nothing that follows."""
        found = [replace(o, attributes=_AS_MADE.get(o.path, ())) for o in self.schemas]
        found += [
            replace(o, attributes=tuple(sorted({**dict(o.attributes), **dict(_AS_MADE[o.path])}.items())))
            for o in self.want.objects
            if o.kind == "extension" and o.path == ("plpgsql",)
        ]
        found += [only(o, WRITTEN_WITH_TABLE) for o in self.tables.values()]
        found += [self.column_as_made(o) for columns in self._columns.values() for o in columns]
        if with_views:
            found += self.views.values()
            found += [
                only(o, frozenset()) for o in self.want.objects if o.kind == "column" and o.path[:2] in self.views
            ]
        return Catalog(tuple(sorted(found, key=lambda o: o.key)), self.want.server_version)

    def loose(self) -> Catalog:
        """What is wanted, each table with what is its own: a column is altered on its table only."""
        return Catalog(tuple(self._loose(o) for o in self.want.objects), self.want.server_version)

    def _loose(self, one: Object) -> Object:
        if one.path[:2] in self.tables and (one.kind == "column" or one.get("inherited") == "INHERITED AND OWN"):
            return replace(one, follows=())
        return one

    def inherits_elsewhere(self) -> Iterator[str]:
        """Name what inherits from tables that are not here."""
        for table in self.tables.values():
            if len(_parents(table, self._names)) < len(_parents(table, None)):
                yield f"{table.kind} {table.name}: inherits"

    def _is_made_inheriting(self, table: Object) -> bool:
        """Whether a column is there only because a parent has it: then CREATE TABLE has to name the parents."""
        is_complete = len(_parents(table, self._names)) == len(_parents(table, None)) > 0
        return is_complete and any(c.get("inherited") == "INHERITED" for c in self._columns.get(table.path, ()))

    def _is_inherited(self, column: Object) -> bool:
        table = self.tables[column.path[:2]]
        return column.get("inherited") == "INHERITED" and self._is_made_inheriting(table)

    def _origin(self, column: Object) -> Object:
        """The column that this one is made like: of the next ancestor that writes it."""
        while self._is_inherited(column) and column.follows:
            above = self.want.find(column.follows[0], *column.follows[1:])
            if above is None or above.path[:2] not in self.tables:
                break
            column = above
        return column

    def column_as_made(self, column: Object) -> Object:
        """Give the column as CREATE TABLE makes it."""
        made = dict(only(column, WRITTEN_WITH_COLUMN).attributes)
        origin = self._origin(column)
        if origin is not column:
            for name in ("default", "generated"):
                made.pop(name, None)
                if origin.get(name):
                    made[name] = origin.get(name)
            inherits = origin.get("not null") == "NOT NULL"
            if not (self._has_names and made.get("not null") == "NOT NULL"):
                made.pop("not null", None)
                made |= {"not null": "NOT NULL"} if inherits else {}
        if self.is_late(made.get("default", "")):
            made.pop("default")
        if made.get("not null", "").endswith("NOT VALID"):
            for name in ("not null", "not null constraint", "not null inherited"):
                made.pop(name, None)
        return replace(column, attributes=tuple(sorted(made.items())), follows=())

    def create(self, table: Object, constraints: Sequence[str] = ()) -> str:
        """Write CREATE TABLE, with these constraints behind its columns."""
        columns = self._columns.get(table.path, [])
        is_inheriting = self._is_made_inheriting(table)
        lines = [self._column_text(c) for c in columns if not self._is_inherited(c)]
        lines += [self._own_not_null(c) for c in columns if self._is_inherited(c) and self._has_own_not_null(c)]
        lines += constraints
        inside = "(\n    " + ",\n    ".join(lines) + "\n)" if lines else "()"
        clauses = (
            f"INHERITS ({', '.join(_parents(table, self._names))})" if is_inheriting else "",
            f"PARTITION BY {table.get('partition key')}" if table.get("partition key") else "",
            f"USING {table.get('access method')}" if table.get("access method") else "",
            f"SERVER {quote(table.get('server'))}" if table.get("server") else "",
            f"OPTIONS ({table.get('foreign options')})" if table.get("foreign options") else "",
            f"WITH ({table.get('options')})" if table.get("options") else "",
        )
        kind = "UNLOGGED TABLE" if table.get("persistence") == "UNLOGGED" else table.kind.upper()
        return " ".join(filter(None, (f"CREATE {kind} {table.name} {inside}", *clauses))) + ";"

    def _has_own_not_null(self, column: Object) -> bool:
        is_own = column.get("not null inherited") != "INHERITED"
        return self._has_names and column.get("not null") in ("NOT NULL", "NOT NULL NO INHERIT") and is_own

    def _own_not_null(self, column: Object) -> str:
        rest = column.get("not null").removeprefix("NOT NULL")
        return f"{_constraint_name(column)}NOT NULL {quote(column.path[2])}{rest}"

    def _column_text(self, column: Object) -> str:
        collation, default, options = (column.get(name) for name in ("collation", "default", "foreign options"))
        not_null = column.get("not null")
        comes = column.get("not null inherited") == "INHERITED"
        is_made_by_another = comes and self._is_made_inheriting(self.tables[column.path[:2]])
        is_written = bool(not_null) and not is_made_by_another and not not_null.endswith("NOT VALID")
        words = (
            quote(column.path[2]),
            column.get("type"),
            f"OPTIONS ({options})" if options else "",
            f"COLLATE {collation}" if collation else "",
            f"{_constraint_name(column)}{not_null}" if is_written else "",
            f"DEFAULT {default}" if default and not self.is_late(default) else "",
            column.get("generated"),
            "" if self._gets_identity(column) else identity_of(column),
        )
        return " ".join(filter(None, words))

    def is_late(self, default: str) -> bool:
        """Whether a default calls what may need the table itself: it is set once all is there."""
        return not self._entangled.isdisjoint(QUALIFIED.findall(default))

    def _gets_identity(self, column: Object) -> bool:
        """Whether its table is a partition, and has it from its parent."""
        is_partition = bool(self.tables[column.path[:2]].get("partition of"))
        return is_partition and versions.IDENTITY_OF_PARTITIONS.is_in(self.want.server_version)

    def joins(self) -> Iterator[tuple[Object, str]]:
        """What makes tables inherit that were made without it, and partitions."""
        for table in self.tables.values():
            if not self._is_made_inheriting(table):
                for parent in _parents(table, self._names):
                    yield table, f"ALTER TABLE {table.name} INHERIT {parent};"
        for table in self.tables.values():
            if table.get("partition of"):
                yield table, attach(table, self.tables)

    def validations(self) -> Iterator[tuple[Object, str]]:
        """What validates a constraint that its table has from a parent, whose own is not validated."""
        for one in self.want.objects:
            above = self.want.find(one.follows[0], *one.follows[1:]) if one.follows else None
            if above is None:
                continue
            if one.kind == "constraint" and above.get("validated") and not one.get("validated"):
                yield one, mend.validate_constraint(one, one.path[2])
            elif one.kind == "column" and (above.get("not null"), one.get("not null")) == _VALIDATED:
                yield one, mend.validate_constraint(one, mend.not_null_name(one))

    def not_made(self) -> Iterator[str]:
        """What the statements do not say of objects that they make."""
        definitions = {(o.kind, *o.path): o.get("definition").partition(" USING ")[2] for o in self.want.objects}
        apart = {*TABLES, "column", "schema", "extension"}
        for one in self.want.objects:
            above = (
                self.want.find(one.follows[0], *one.follows[1:]) if one.kind == "constraint" and one.follows else None
            )
            if above is not None and above.get("enforced") and not one.get("enforced"):
                yield f"constraint {one.name}: enforced"
            if one.kind not in apart:
                for attribute, _ in one.attributes:
                    if not mend.is_made(one, attribute):
                        yield f"{one.kind} {one.name}: {attribute}"
            elif one.kind in TABLES and one.get("tablespace"):
                yield f"{one.kind} {one.name}: tablespace"
            root = self.want.find(one.follows[0], *one.follows[1:]) if one.kind == "inherited index" else None
            if root is not None and root.get("valid"):
                yield f"inherited index {one.name}"
            elif (
                one.kind == "inherited index"
                and definitions[one.follows] != one.get("definition").partition(" USING ")[2]
            ):
                yield f"inherited index {one.name}: definition"


def _entangled_functions(want: Catalog) -> frozenset[str]:
    """Names of functions that PostgreSQL makes only where a table, a view or another function is there."""
    functions = [(o.name.partition("(")[0], o.get("definition")) for o in want.objects if o.kind == "function"]
    made = {name for name, _ in functions} | {o.name for o in want.objects if o.kind in TABLES | VIEWS}
    return frozenset(name for name, text in functions if _mentions(_Making("", name, text)) & made - {name})


def only(one: Object, attributes: frozenset[str]) -> Object:
    """Give the object with these attributes and no others."""
    return replace(one, attributes=tuple(a for a in one.attributes if a[0] in attributes))


def _constraint_name(column: Object) -> str:
    called = column.get("not null constraint")
    return f"CONSTRAINT {quote(called)} " if called else ""


def identity_of(column: Object) -> str:
    """How it is an identity, with the sequence's name, where it is not the one that PostgreSQL would choose."""
    identity, sequence = column.get("identity"), column.get("identity sequence")
    usual = qualified(column.path[0], f"{column.path[1]}_{column.path[2]}_seq")
    return identity.replace("(", f"(SEQUENCE NAME {sequence} ", 1) if sequence not in ("", usual) else identity


def _parents(table: Object, names: frozenset[str] | None) -> list[str]:
    """What it inherits from, in order; of ``names`` alone, where they are given."""
    parents = QUALIFIED.findall(table.get("inherits"))
    return [parent for parent in parents if names is None or parent in names]


def attach(partition: Object, tables: Mapping[Path, Object]) -> str:
    """Write ALTER TABLE … ATTACH PARTITION."""
    said = partition.get("partition of")
    parent = max((t.name for t in tables.values() if said.startswith(f"{t.name} ")), key=len, default="")
    return f"ALTER TABLE {parent} ATTACH PARTITION {partition.name} {said[len(parent) + 1 :]};" if parent else ""


def at_once(statements: str, *, is_column: bool = False) -> str:
    """The mend without what spares the writers of a live database: an empty one has none."""
    lines = statements.split("\n")
    if len(lines) > 1 and lines[0].endswith(" NOT VALID;") and " VALIDATE CONSTRAINT " in lines[1]:
        lines[:2] = [lines[0].removesuffix(" NOT VALID;") + ";"]
    if lines[0].startswith(("CREATE INDEX CONCURRENTLY ", "CREATE UNIQUE INDEX CONCURRENTLY ")):
        lines[0] = lines[0].replace(" CONCURRENTLY", "", 1)
    if is_column and lines[0].startswith("ALTER TABLE ") and " ADD CONSTRAINT " not in lines[0]:
        lines[0] = lines[0].replace("ALTER TABLE ", "ALTER TABLE ONLY ", 1)
    return "\n".join(lines)


def _with_what_needs_views(
    makers: Sequence[_Making], showing: Sequence[_Making]
) -> tuple[list[_Making], list[_Making]]:
    """Move to the views whatever cannot be made without one of them."""
    late = list(showing)
    early = list(makers)
    while True:
        names = {s.name for s in late}
        moved = dict.fromkeys(m for m in early if names & _mentions(m))
        if not moved:
            return early, late
        late += moved
        early = [m for m in early if m not in moved]


def _without_circles_of_domains(makers: Sequence[_Making], want: Catalog) -> tuple[list[_Making], list[_Making]]:
    """Make a domain without what calls a function that takes the domain, and say that once the function is there."""
    taken: dict[str, set[str]] = {}
    for one in makers:
        if one.label.startswith("function "):
            taken.setdefault(one.name, set()).update(_mentions(one))
    entangled = {
        m for m in makers if m.label.startswith("domain ") and any(m.name in taken.get(f, ()) for f in _mentions(m))
    }
    domains = {o.name: o for o in want.objects if o.kind == "domain"} if entangled else {}
    first = [replace(m, text=mend.bare_domain(domains[m.name])) if m in entangled else m for m in makers]
    return first, [replace(m, name="", text=mend.complete_domain(domains[m.name])) for m in makers if m in entangled]


class _Needs:
    """Which statements each of them mentions.  What has several makers, as an overloaded function, may mean any."""

    def __init__(self, statements: Sequence[_Making], made: frozenset[str]) -> None:
        self.makers: dict[str, list[_Making]] = {}
        for one in statements:
            for name in (one.name, *_MULTIRANGE.findall(one.text)):
                self.makers.setdefault(name, []).append(one)
        self._made = made
        self._names = {one: sorted(_mentions(one) & self.makers.keys()) for one in statements}
        self._needed_by: dict[_Making, list[_Making]] = {}
        for one in statements:
            for other in self.certain(one):
                self._needed_by.setdefault(other, []).append(one)

    def certain(self, one: _Making) -> Iterator[_Making]:
        """Those of a name that only one statement makes."""
        for name in self._names[one]:
            if self._is_certain(name):
                yield from self.makers[name]

    def of(self, one: _Making) -> Iterator[_Making]:
        """Those that come first: not one that is meant by chance, as it needs this one itself."""
        names = self._names[one]
        after = self._after(one) if not all(map(self._is_certain, names)) else set()
        for name in names:
            is_certain = self._is_certain(name)
            yield from (m for m in self.makers[name] if is_certain or m not in after)

    def _is_certain(self, name: str) -> bool:
        return len(self.makers[name]) == 1 and name not in self._made

    def _after(self, one: _Making) -> set[_Making]:
        reached: set[_Making] = set()
        left = [one]
        while left:
            new = [m for m in self._needed_by.get(left.pop(), ()) if m not in reached]
            reached.update(new)
            left += new
        return reached - {one}


def _in_order(statements: Sequence[_Making], made: frozenset[str] = frozenset()) -> tuple[list[_Making], list[_Making]]:
    """Each after those that make what it mentions, and those that do not load, as they stand in a circle.

    A circle is cut where it is entered.  ``made`` are names that were made before.
    """
    needs = _Needs(statements, made)
    own_types = [m for m in statements if m.text.startswith("CREATE TYPE ") and len(needs.makers[m.name]) > 1]
    place: dict[_Making, int] = {}
    seen: set[_Making] = set()
    for start in (*own_types, *statements):  # a type before its functions, which are entered through it
        stack = [] if start in seen else [(start, needs.of(start))]
        seen.add(start)
        while stack:
            one, needed = stack[-1]
            other = next((m for m in needed if m not in seen), None)
            if other is None:
                stack.pop()
                place[one] = len(place)
            else:
                seen.add(other)
                stack.append((other, needs.of(other)))
    in_circle = [
        one
        for one in place
        if one.label.startswith(("function ", "view ")) and any(place[m] > place[one] for m in needs.certain(one))
    ]
    return list(place), in_circle


def _mentions(one: _Making) -> set[str]:
    """What a statement names besides itself, but in a function's body, which is not looked at yet, and in comments."""
    text = one.text.partition("\nCOMMENT ON ")[0]
    if text.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE PROCEDURE")):
        text = re.split(r"\nAS \$", text, maxsplit=1)[0]
    found = set(QUALIFIED.findall(text.replace(one.name, "", 1) if one.name else text))
    found |= {f"{schema}.{quote(operator)}" for schema, operator in _OPERATOR.findall(text)}
    for kind, named in _UNQUALIFIED.items():
        found |= {f"{kind} {next(filter(None, m.groups()))}" for m in named.finditer(text)}
    return found - ({one.name} if one.name.startswith(tuple(_UNQUALIFIED)) else set())

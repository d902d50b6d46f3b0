"""A schema snapshot as one file: SQL that loads, and the catalog it came from, for review and for comparing.

Hides in which order objects must be made, and how the catalog is carried along in comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.catalog import mend
from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Catalog, Object
from wflo_schema.catalog.read import read_migrated
from wflo_schema.catalog.text import DUMP_TITLE, catalog_text, parse_catalog
from wflo_schema.connect import versions
from wflo_schema.connect.database import Database
from wflo_schema.errors import WfloSchemaError
from wflo_schema.names import qualified

_TITLE = "-- Schema of a PostgreSQL database, written by wflo-schema dump: SQL that loads, its catalog in comments."

# Begins every line of the catalog.
_MARK = "--|"

# Attributes that are written where the table is made.
_WRITTEN_WITH_TABLE = frozenset(
    {"persistence", "partition key", "partition of", "inherits", "access method", "options"}
)
_WRITTEN_WITH_COLUMN = frozenset({"position", "type", "not null", "default", "generated", "identity", "collation"})
_VIEWS = frozenset({"view", "materialized view"})
# What tables may need: made together with them, each after what it mentions.
_FIRST = frozenset(
    {
        "collation",
        "type",
        "domain",
        "function",
        "procedure",
        "aggregate",
        "operator",
        "cast",
        "text search configuration",
        "text search dictionary",
        "conversion",
        "sequence",
    }
)

_LAST = frozenset({"statistics", "trigger", "rule", "policy", "event trigger", "publication"})

_NAME = r'(?:"(?:[^"]|"")+"|[A-Za-z_][\w$]*)'
_QUALIFIED = re.compile(rf"{_NAME}\.{_NAME}")
_MULTIRANGE = re.compile(rf"MULTIRANGE_TYPE_NAME = ({_NAME}\.{_NAME})")

# What every new database holds.
_AS_MADE: Mapping[tuple[str, ...], tuple[tuple[str, str], ...]] = {
    ("public",): (("comment", "standard public schema"),),
    ("plpgsql",): (("comment", "PL/pgSQL procedural language"),),
}


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A schema as text.  ``left_out`` names what the SQL does not make; the catalog in the comments has it."""

    text: str
    left_out: tuple[str, ...]


def dump_schema(database: Database, *, ledger: Sequence[str] = ()) -> Snapshot:
    """Write the schema of a database (one schema, where ``database`` names one): sorted, and equal for equal schemas.

    Nothing in it depends on when and by which minor version it was written.  Loaded into an empty
    database of the same major version it gives an equal catalog, but for what ``left_out`` names.
    ``ledger`` are statements that come last: what makes the ledger, where it is wanted.  Reads only.
    """
    with database.connect() as connection:
        found = read_migrated(connection, schemas=(database.schema,) if database.schema else None)
    statements, left_out = _statements(found)
    statements += ledger
    lines = [
        _TITLE,
        *(f"-- left out: {one}" for one in left_out),
        "",
        "SET check_function_bodies = off;",
        "SET search_path = '';",
        *("\n" + s for s in statements),
        "",
        "RESET search_path;",
        "RESET check_function_bodies;",
        "",
        *(f"{_MARK} {line}" if line else _MARK for line in catalog_text(found).split("\n")[:-1]),
    ]
    return Snapshot("\n".join(lines) + "\n", left_out)


def parse_snapshot(text: str) -> Catalog:
    """The catalog of a snapshot.  Raise `WfloSchemaError` when there is none in it."""
    _, begin, rest = ("\n" + text.replace("\r\n", "\n")).rpartition(f"\n{_MARK} {DUMP_TITLE}\n")
    lines = [line[len(_MARK) :].removeprefix(" ") for line in (begin + rest).split("\n") if line.startswith(_MARK)]
    if not begin:
        raise WfloSchemaError(
            "this file holds no catalog", hint="write it with wflo-schema dump, and keep the comments at its end"
        )
    return parse_catalog("\n".join(lines) + "\n")


def read_snapshot(path: Path) -> Catalog:
    """The catalog of a snapshot file.  Raise `WfloSchemaError` when it cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WfloSchemaError(f"cannot read {path}: {error}", hint="write it with wflo-schema dump > FILE") from None
    try:
        return parse_snapshot(text)
    except WfloSchemaError as error:
        raise WfloSchemaError(f"{path}: {error.message}", hint=error.hint) from None


@dataclass(frozen=True, slots=True)
class _Making:
    name: str
    text: str


def _statements(want: Catalog) -> tuple[list[str], tuple[str, ...]]:
    """Every statement in an order in which they load, and what cannot be written."""
    tables = {o.path: o for o in want.objects if o.kind == "table"}
    views = {o.path: o for o in want.objects if o.kind in _VIEWS}
    base = [replace(o, attributes=_AS_MADE.get(o.path, ())) for o in want.objects if o.kind == "schema"] + [
        replace(o, attributes=tuple(sorted({**dict(o.attributes), **dict(_AS_MADE[o.path])}.items())))
        for o in want.objects
        if o.kind == "extension" and o.path == ("plpgsql",)
    ]
    bare_tables = [_only(o, _WRITTEN_WITH_TABLE) for o in tables.values()]
    columns = [
        _plain_column(_only(o, _WRITTEN_WITH_COLUMN))
        for o in want.objects
        if o.kind == "column" and o.path[:2] in tables
    ]
    of_view = [o for o in want.objects if o.kind == "column" and o.path[:2] in views]
    shown = [*views.values(), *(_only(o, frozenset()) for o in of_view)]
    definitions = _column_definitions(want, [*base, *bare_tables])
    rest = compare_catalogs(_catalog([*base, *bare_tables, *columns, *shown]), want)
    made_views = [
        d
        for d in compare_catalogs(_catalog([*base, *bare_tables, *columns]), want)
        if d.kind in _VIEWS and not d.attribute
    ]
    names = frozenset(t.name for t in tables.values())
    left_out = tuple(
        f"table {t.name}: inherits" for t in tables.values() if len(_parents(t, names)) < len(_parents(t, None))
    )
    left_out += tuple(
        f"{d.kind} {d.object}" + (f": {d.attribute}" if d.attribute else "")
        for d in (*rest, *made_views)
        if not d.mend and not d.cosmetic
    )
    left_out += tuple(_not_made(want, tables))
    of_views = tuple(f"{v.name}." for v in views.values())
    late = [d for d in rest if d.kind in _LAST or (d.kind in ("index", "column") and d.object.startswith(of_views))]
    first = [d for d in rest if d.kind in _FIRST and d.have == NOTHING]
    sequences = {d.object for d in first if d.kind == "sequence"}
    middle = [d for d in rest if d not in late and d not in first and d.kind not in ("schema", "extension")]
    makers = [
        _Making(d.object.partition("(")[0], d.mend.partition("\n")[0] if d.object in sequences else d.mend)
        for d in first
    ]
    showing = [_Making(d.object, d.mend) for d in made_views]
    view_names = {v.name for v in views.values()}
    showing += [s for s in makers if view_names & _mentions(s)]
    makers = [s for s in makers if s not in showing]
    makers += [_Making(t.name, _create_table(t, definitions)) for t in tables.values()]
    found = [f"CREATE SCHEMA {o.name};" for o in base if o.kind == "schema" and o.path != ("public",)]
    found += [d.mend for d in rest if d.kind in ("schema", "extension")]
    found += [s.text for s in _in_order(makers)]
    found += [d.mend.partition("\n")[2] for d in first if d.object in sequences]
    found += [f"ALTER TABLE {t.name} INHERIT {parent};" for t in tables.values() for parent in _parents(t, names)]
    found += [_attach(t, tables) for t in tables.values() if t.get("partition of")]
    found += [_at_once(d.mend) for d in middle]
    found += [s.text for s in _in_order(showing)]
    found += [_at_once(d.mend) for d in late]
    return [text for text in found if text], left_out


def _not_made(want: Catalog, tables: Mapping[tuple[str, ...], Object]) -> Iterator[str]:
    """What the statements do not say of objects that they make."""
    definitions = {(o.kind, *o.path): o.get("definition").partition(" USING ")[2] for o in want.objects}
    for one in want.objects:
        if one.kind == "column" and one.path[:2] in tables:
            usual = qualified(one.path[0], f"{one.path[1]}_{one.path[2]}_seq")
            if one.get("identity sequence") not in ("", usual):
                yield f"column {one.name}: identity sequence"
            if one.get("not null constraint"):
                yield f"column {one.name}: not null constraint"
        elif one.kind not in ("table", "column", "schema", "extension"):
            for attribute, _ in one.attributes:
                if not mend.is_made(one, attribute):
                    yield f"{one.kind} {one.name}: {attribute}"
        if one.kind == "inherited index" and definitions[one.follows] != one.get("definition").partition(" USING ")[2]:
            yield f"inherited index {one.name}: definition"


def _catalog(objects: Iterable[Object]) -> Catalog:
    return Catalog(tuple(sorted(objects, key=lambda o: (o.kind, o.path))))


def _only(one: Object, attributes: frozenset[str]) -> Object:
    return replace(one, attributes=tuple(a for a in one.attributes if a[0] in attributes))


def _plain_column(column: Object) -> Object:
    """As CREATE TABLE writes it: NOT NULL without anything behind it."""
    return replace(column, attributes=tuple((n, "NOT NULL" if n == "not null" else v) for n, v in column.attributes))


def _column_definitions(want: Catalog, without: Iterable[Object]) -> dict[str, list[str]]:
    """Table's name → its columns as CREATE TABLE writes them, in order."""
    unrelated = Catalog(tuple(_unrelated(o, want) for o in want.objects))
    text = {d.object: d.want for d in compare_catalogs(_catalog(without), unrelated) if d.kind == "column"}
    names = {o.path: o.name for o in want.objects if o.kind == "table"}
    found: dict[str, list[str]] = {name: [] for name in names.values()}
    columns = [o for o in want.objects if o.kind == "column" and o.path[:2] in names]
    for column in sorted(columns, key=lambda o: int(o.get("position"))):
        table = names[column.path[:2]]
        found[table].append(f"{column.name[len(table) + 1 :]} {text[column.name]}")
    return found


def _unrelated(one: Object, want: Catalog) -> Object:
    """As if it were nobody's copy; a partition may get its identity columns from its parent."""
    is_of_partition = (
        versions.IDENTITY_OF_PARTITIONS.is_in(want.server_version)
        and one.kind == "column"
        and (table := want.find("table", *one.path[:2])) is not None
        and bool(table.get("partition of"))
    )
    kept = tuple(a for a in one.attributes if not (is_of_partition and a[0] == "identity"))
    return replace(one, follows=(), attributes=kept)


def _create_table(table: Object, definitions: Mapping[str, list[str]]) -> str:
    columns = definitions[table.name]
    inside = "(\n    " + ",\n    ".join(columns) + "\n)" if columns else "()"
    clauses = (
        f"PARTITION BY {table.get('partition key')}" if table.get("partition key") else "",
        f"USING {table.get('access method')}" if table.get("access method") else "",
        f"WITH ({table.get('options')})" if table.get("options") else "",
    )
    kind = "UNLOGGED TABLE" if table.get("persistence") == "UNLOGGED" else "TABLE"
    return " ".join(filter(None, (f"CREATE {kind} {table.name} {inside}", *clauses))) + ";"


def _parents(table: Object, names: frozenset[str] | None) -> list[str]:
    """What it inherits from, in order; of ``names`` alone, where they are given."""
    parents = _QUALIFIED.findall(table.get("inherits"))
    return [parent for parent in parents if names is None or parent in names]


def _attach(partition: Object, tables: Mapping[tuple[str, ...], Object]) -> str:
    said = partition.get("partition of")
    parent = max((t.name for t in tables.values() if said.startswith(f"{t.name} ")), key=len, default="")
    return f"ALTER TABLE {parent} ATTACH PARTITION {partition.name} {said[len(parent) + 1 :]};" if parent else ""


def _at_once(mend: str) -> str:
    """The mend without what spares the writers of a live database: an empty one has none."""
    lines = mend.split("\n")
    if len(lines) > 1 and lines[0].endswith(" NOT VALID;") and " VALIDATE CONSTRAINT " in lines[1]:
        lines[:2] = [lines[0].removesuffix(" NOT VALID;") + ";"]
    if lines[0].startswith(("CREATE INDEX CONCURRENTLY ", "CREATE UNIQUE INDEX CONCURRENTLY ")):
        lines[0] = lines[0].replace(" CONCURRENTLY", "", 1)
    return "\n".join(lines)


def _in_order(statements: list[_Making]) -> Iterator[_Making]:
    """Each after those that make what it mentions; a circle is cut where it is entered."""
    by_name: dict[str, list[_Making]] = {}
    for one in statements:
        by_name.setdefault(one.name, []).append(one)
        for name in _MULTIRANGE.findall(one.text):
            by_name.setdefault(name, []).append(one)
    seen: set[_Making] = set()
    for start in statements:
        stack: list[tuple[_Making, Iterator[_Making]]] = []
        if start not in seen:
            seen.add(start)
            stack.append((start, _mentioned(start, by_name)))
        while stack:
            one, needed = stack[-1]
            for other in needed:
                if other not in seen:
                    seen.add(other)
                    stack.append((other, _mentioned(other, by_name)))
                    break
            else:
                stack.pop()
                yield one


def _mentioned(one: _Making, by_name: Mapping[str, list[_Making]]) -> Iterator[_Making]:
    for name in sorted(_mentions(one)):
        yield from by_name.get(name, ())


def _mentions(one: _Making) -> set[str]:
    """Qualified names in a statement, but its own and those in a function's body, which is not looked at yet."""
    text = one.text
    if text.startswith(("CREATE OR REPLACE FUNCTION", "CREATE OR REPLACE PROCEDURE")):
        text = re.split(r"\nAS \$", text, maxsplit=1)[0]
    return set(_QUALIFIED.findall(text)) - {one.name}

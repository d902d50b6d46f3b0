"""What a catalog is made of: objects, their names as SQL writes them, and in what two catalogs differ."""

from __future__ import annotations

import bisect
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from wflo_schema.names import qualified

# How a difference writes that something is absent.
NOTHING = "NOTHING"

TABLES = frozenset({"table", "foreign table"})
VIEWS = frozenset({"view", "materialized view"})
RELATIONS = TABLES | VIEWS
# What SQL names with its table: DROP TRIGGER … ON …
ON_TABLE = frozenset({"trigger", "rule", "policy"})
OF_RELATION = ON_TABLE | {"column", "constraint", "index", "inherited index", "inherited constraint"}
# What holds no rows, belongs to no table and may be needed by one.
MEANS = frozenset(
    {"function", "procedure", "aggregate", "type", "domain", "cast", "operator", "collation", "conversion", "transform"}
    | {"text search configuration", "text search dictionary"}
)
GLOBAL = frozenset(
    {
        "extension",
        "foreign data wrapper",
        "foreign server",
        "user mapping",
        "language",
        "access method",
        "cast",
        "transform",
        "event trigger",
        "publication",
        "default privileges",
        "database",
    }
)
WITH_ARGUMENTS = frozenset({"function", "procedure", "aggregate", "operator", "cast"})

Path = tuple[str, ...]
Key = tuple[str, Path]


@dataclass(frozen=True, slots=True)
class Object:
    """One object of a database.  All fields count for equality but ``follows``.

    ``path`` holds bare names, schema first; of a function the last element is its argument types
    in brackets.  ``attributes`` are (name, text) pairs sorted by name; what is usual is left out.
    ``follows`` is kind and path of the object that this one is a copy or a part of (a partition's
    clone of a constraint, a serial column's sequence): empty for most.
    """

    kind: str
    path: Path
    attributes: tuple[tuple[str, str], ...] = ()
    follows: Path = field(default=(), compare=False)

    @property
    def key(self) -> Key:
        """What makes it one and the same object in two catalogs."""
        return (self.kind, self.path)

    @property
    def name(self) -> str:
        """Schema-qualified, quoted where SQL would need it."""
        return spelled(self.kind, self.path)

    def get(self, attribute: str) -> str:
        """The text of one attribute, empty where it is as usual."""
        for name, text in self.attributes:
            if name == attribute:
                return text
        return ""


@dataclass(frozen=True, slots=True)
class Catalog:
    """All objects of a database, sorted by their keys.  Equality is the objects; ``server_version`` does not count.

    ``server_version`` is libpq's number (180006), 0 where unknown.  Texts of views and expressions
    are those of the server's own printer, which differs between major versions.
    """

    objects: tuple[Object, ...]
    server_version: int = field(default=0, compare=False)

    def find(self, kind: str, *path: str) -> Object | None:
        """The object of that kind and path (bare names, schema first), None where there is none."""
        place = bisect.bisect_left(self.objects, (kind, path), key=lambda one: one.key)
        if place < len(self.objects) and self.objects[place].key == (kind, path):
            return self.objects[place]
        return None

    def renamed(self, database: str, other: str) -> Catalog:
        """The same in a database of another name: what code has made of the name says that one."""

        def of(o: Object) -> Object:
            if not any(database in text for _, text in o.attributes):
                return o
            return replace(o, attributes=tuple((name, text.replace(database, other)) for name, text in o.attributes))

        return replace(self, objects=tuple(map(of, self.objects)))

    def notes_of_version(self, server_version: int) -> tuple[str, ...]:
        """Say that a database of another major version cannot be compared word by word, if it is one."""
        made, there = self.server_version // 10000, server_version // 10000
        if not made or made == there:
            return ()
        said = f"what the migrations make was read on PostgreSQL {made}, and the database is on {there}"
        return (f"{said}: the two may print the same definition differently",)

    def by_schema(self) -> dict[str, Catalog]:
        """Schema → what is in it, and what is granted there beforehand."""
        found: dict[str, list[Object]] = {}
        for one in self.objects:
            if one.kind == "default privileges":
                found.setdefault(one.path[1], []).append(one)
            elif one.kind not in GLOBAL:
                found.setdefault(one.path[0], []).append(one)
        return {schema: replace(self, objects=tuple(objects)) for schema, objects in found.items()}

    def without_schemas(self, schemas: Collection[str]) -> Catalog:
        """The same without the schemas of these names, and all that is in them."""
        kept = (o for o in self.objects if o.kind in GLOBAL or o.path[0] not in schemas)
        return Catalog(tuple(kept), self.server_version) if schemas else self

    def without_tables(self, tables: Collection[Path]) -> Catalog:
        """The same without the tables of these paths, and all that hangs on them."""
        on_a_table = RELATIONS | OF_RELATION
        kept = (
            o
            for o in self.objects
            if (o.kind not in on_a_table or o.path[:2] not in tables)
            and (o.kind != "sequence" or o.follows[1:3] not in tables)
        )
        return Catalog(tuple(kept), self.server_version) if tables else self


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing in which a catalog is not as wanted.  All fields count for equality.

    ``attribute`` is empty where a whole object is absent or too many, and ``name`` where it only
    has another name.  ``have`` and ``want`` are ``NOTHING`` where absent.  ``mend`` is SQL, each
    statement on a new line, that makes ``have`` into ``want``; empty where that needs a decision
    (data would be lost or rewritten).  ``cosmetic`` says that no query is answered differently.
    """

    kind: str
    object: str
    attribute: str
    have: str
    want: str
    mend: str = ""
    cosmetic: bool = False


def spelled(kind: str, path: Path) -> str:
    """A name as SQL writes it; what ends in argument types already has them as SQL does."""
    if kind == "transform":
        return path[0]
    return qualified(*path[:-1]) + path[-1] if kind in WITH_ARGUMENTS else qualified(*path)


def as_key(follows: Path) -> Key:
    """Turn ``(kind, *path)``, as an object says what it follows, into the key of that object."""
    return (follows[0], follows[1:])


def table_of(one: Object) -> str:
    """The qualified name of the table that an index, constraint, trigger or column belongs to."""
    return qualified(*one.path[:2])


def column_definition(column: Object) -> str:
    """Write what follows a column's name in CREATE TABLE: type, collation, NOT NULL, default, identity."""
    collation, default = column.get("collation"), column.get("default")
    not_null = column.get("not null")
    return " ".join(
        filter(
            None,
            (
                column.get("type"),
                f"COLLATE {collation}" if collation else "",
                "NOT NULL" if not_null else "",
                f"DEFAULT {default}" if default else "",
                column.get("generated"),
                column.get("identity"),
            ),
        )
    )

"""What a contract requires of a database, as values."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from wflo_schema.findings import Location

ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")
MATCHES = ("SIMPLE", "FULL")
NOT_DEFERRABLE = "NOT DEFERRABLE"
DEFERRABLE = "DEFERRABLE INITIALLY IMMEDIATE"
DEFERRED = "DEFERRABLE INITIALLY DEFERRED"

# PostgreSQL cuts longer names off silently, so a longer one can never be found.
NAME_BYTES = 63

# What PostgreSQL's quote_ident() quotes although every character is plain.
_RESERVED = frozenset(
    "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case "
    "cast char character check coalesce collate collation column concurrently constraint create cross current_catalog "
    "current_date current_role current_schema current_time current_timestamp current_user dec decimal default "
    "deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant "
    "greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join "
    "json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize "
    "json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national "
    "natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay "
    "placing position precision primary real references returning right row select session_user setof similar "
    "smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true "
    "union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat "
    "xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable".split()
)

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")


def identifier(name: str) -> str:
    """Spell a name as SQL needs it: quoted only where it must be."""
    if _PLAIN.match(name) and name not in _RESERVED:
        return name
    return '"' + name.replace('"', '""') + '"'


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """A table's name.  ``schema`` is None where the contract leaves it to the whole contract's schema."""

    name: str
    schema: str | None = None

    def __str__(self) -> str:
        return f"{identifier(self.schema)}.{identifier(self.name)}" if self.schema else identifier(self.name)


@dataclass(frozen=True, slots=True)
class RequiredTable:
    """A table that must be there as an ordinary or partitioned table.  ``line`` does not count for equality."""

    name: Name
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredKey:
    """A foreign key that must be there and enforced.

    ``columns`` and ``to_columns`` belong together pairwise.  ``name`` is None where any name will
    do.  ``set_columns`` are those of ``ON DELETE SET NULL (…)``.  ``period`` says that the last
    column is a PERIOD.  What the file leaves out is what SQL means by leaving it out: NO ACTION,
    MATCH SIMPLE, NOT DEFERRABLE.
    """

    name: str | None
    table: Name
    columns: tuple[str, ...]
    to_table: Name
    to_columns: tuple[str, ...]
    on_delete: str = "NO ACTION"
    set_columns: tuple[str, ...] = ()
    on_update: str = "NO ACTION"
    match: str = "SIMPLE"
    deferrable: str = NOT_DEFERRABLE
    period: bool = False
    line: int = field(default=0, compare=False)

    @property
    def source(self) -> str:
        """``table(columns)``."""
        return f"{self.table}({columns(self.columns, self.period)})"

    @property
    def target(self) -> str:
        """``table(columns)`` on the referenced side."""
        return f"{self.to_table}({columns(self.to_columns, self.period)})"

    @property
    def pairs(self) -> Counter[tuple[str, str]]:
        """Which column references which: keys with equal pairs are the same, in whatever order."""
        return Counter(zip(self.columns, self.to_columns, strict=True))


@dataclass(frozen=True, slots=True)
class RequiredColumn:
    """A column that must be there.  A ``type``, ``default`` or ``is_nullable`` of None is not looked at."""

    table: Name
    name: str
    type: str | None = None
    is_nullable: bool | None = None
    default: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredUnique:
    """Columns that must be unique together, in any order, by a constraint or a plain unique index."""

    name: str | None
    table: Name
    columns: tuple[str, ...]
    is_primary: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredCheck:
    """A check constraint.  ``expression`` is SQL in any spelling of the same, None where any will do."""

    name: str
    table: Name
    expression: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class RequiredIndex:
    """A valid index on these columns in this order.  ``where`` is SQL in any spelling of the same."""

    name: str | None
    table: Name
    columns: tuple[str, ...]
    is_unique: bool = False
    method: str = "btree"
    where: str | None = None
    line: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Contract:
    """Everything that is required.  ``path`` and lines are for messages and do not count for equality."""

    schema: str | None = None
    tables: tuple[RequiredTable, ...] = ()
    foreign_keys: tuple[RequiredKey, ...] = ()
    columns: tuple[RequiredColumn, ...] = ()
    uniques: tuple[RequiredUnique, ...] = ()
    checks: tuple[RequiredCheck, ...] = ()
    indexes: tuple[RequiredIndex, ...] = ()
    path: str = field(default="contract.toml", compare=False)

    @property
    def names(self) -> tuple[Name, ...]:
        """Every table that is named anywhere, once, in the order of the file."""
        found: dict[Name, None] = {}
        for table in self.tables:
            found.setdefault(table.name)
        for key in self.foreign_keys:
            found.setdefault(key.table)
            found.setdefault(key.to_table)
        for group in (self.columns, self.uniques, self.checks, self.indexes):
            for item in group:
                found.setdefault(item.table)
        return tuple(found)

    def location(self, line: int) -> Location | None:
        """The place in the file, None for what no file says."""
        return Location(self.path, line) if line else None


def columns(columns: tuple[str, ...], period: bool) -> str:
    shown = [identifier(c) for c in columns]
    if period:
        shown[-1] = f"PERIOD {shown[-1]}"
    return ", ".join(shown)

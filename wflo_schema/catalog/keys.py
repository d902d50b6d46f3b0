"""Relations, their columns and their foreign keys by OID, as PostgreSQL keeps them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.queries import fetch
from wflo_schema.names import identifiers, qualified, quote

ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
MATCHES = {"s": "SIMPLE", "f": "FULL", "p": "PARTIAL"}
# Of pg_class.relkind, in words.
RELKINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "partitioned index",
    "c": "composite type",
    "t": "TOAST table",
}


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or partition in the tree of the relation that was named, ``root``.

    ``kind`` and ``persistence`` are relkind and relpersistence of pg_class; ``root`` and ``oid`` its OIDs.
    """

    root: int
    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    is_partition: bool
    has_triggers: bool
    owner: str
    owner_has_usage: bool
    owner_has_select: bool
    owner_has_update: bool
    owner_has_delete: bool

    def __str__(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class Column:
    """A column.  ``number`` is attnum; ``default`` is None where it has none, or where that was not read."""

    relation: int
    number: int
    name: str
    type: str
    is_nullable: bool
    is_generated: bool
    collation: int
    collation_name: str
    is_deterministic: bool
    default: str | None = None


class Paired:
    """A foreign key's columns on both sides, which belong together pairwise."""

    __slots__ = ()
    columns: Sequence[str]
    to_columns: Sequence[str]

    @property
    def pairs(self) -> Counter[tuple[str, str]]:
        """Which column references which: keys with equal pairs are the same, in whatever order."""
        return Counter(zip(self.columns, self.to_columns, strict=True))


@dataclass(frozen=True, slots=True)
class Key(Paired):
    """A foreign key, as pg_constraint has it.

    ``parent`` is the key that this one is a copy of (for a partition), ``top`` the one at the end of that chain;
    ``on_delete``, ``on_update`` and ``match`` are PostgreSQL's letters, ``operators`` compare pair by pair.
    """

    oid: int
    top: int
    parent: int
    name: str
    relation: int
    schema: str
    table: str
    to_relation: int
    to_schema: str
    to_table: str
    columns: list[str]
    to_columns: list[str]
    set_columns: list[str]
    on_delete: str
    on_update: str
    match: str
    is_deferrable: bool
    is_deferred: bool
    is_validated: bool
    is_enforced: bool
    is_period: bool
    operators: list[str]
    left_types: list[str]
    right_types: list[str]
    owner_reads: bool
    to_owner_reads: bool

    @property
    def deferrable(self) -> str:
        """The clause as SQL writes it."""
        return DEFERRED if self.is_deferred else DEFERRABLE if self.is_deferrable else NOT_DEFERRABLE

    def __str__(self) -> str:
        return definition(
            qualified(self.schema, self.table),
            self.columns,
            qualified(self.to_schema, self.to_table),
            self.to_columns,
            ACTIONS.get(self.on_delete, "?"),
            tuple(self.set_columns),
            ACTIONS.get(self.on_update, "?"),
            MATCHES.get(self.match, "?"),
            self.deferrable,
            self.is_period,
        )


def key_columns(columns: Sequence[str], is_period: bool) -> str:
    """Write the columns of a key as SQL does, the last one with PERIOD where it is a period."""
    *others, last = map(quote, columns)
    return ", ".join((*others, f"PERIOD {last}" if is_period else last))


# many parameters: each is a word of the clause, and keys that are there and keys that are wanted both have them
def definition(
    table: str,
    columns: Sequence[str],
    to_table: str,
    to_columns: Sequence[str],
    on_delete: str,
    set_columns: Sequence[str],
    on_update: str,
    match: str,
    deferrable: str,
    is_period: bool,
) -> str:
    """Write a foreign key as ``t(c) REFERENCES u(d)``, with only those clauses that differ from the default.

    ``table`` and ``to_table`` are quoted already, the columns are not.
    """
    left, right = key_columns(columns, is_period), key_columns(to_columns, is_period)
    words = [f"{table}({left}) REFERENCES {to_table}({right})"]
    if match != "SIMPLE":
        words.append(f"MATCH {match}")
    if on_update != "NO ACTION":
        words.append(f"ON UPDATE {on_update}")
    if on_delete != "NO ACTION":
        words.append(f"ON DELETE {on_delete}" + (f" ({identifiers(set_columns)})" if set_columns else ""))
    if deferrable != NOT_DEFERRABLE:
        words.append(deferrable)
    return " ".join(words)


NOT_DEFERRABLE = "NOT DEFERRABLE"


DEFERRABLE = "DEFERRABLE INITIALLY IMMEDIATE"


DEFERRED = "DEFERRABLE INITIALLY DEFERRED"


TYPE_ALIASES = {
    "varchar": "character varying",
    "char": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "float8": "double precision",
    "float": "double precision",
    "float4": "real",
    "decimal": "numeric",
    "varbit": "bit varying",
}


def plain_type(text: str) -> str:
    """A type as pg_catalog.format_type() spells it, however it was written."""
    words = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.lower().split()))
    words = re.sub(r"\)(?=\w)", ") ", words)
    match = re.fullmatch(r"(\w+)((?:\([\d,]+\))?)(.*)", words)
    if match is None or match[1] not in TYPE_ALIASES or match[3].startswith(" "):
        return words
    first, _, rest = TYPE_ALIASES[match[1]].partition(" ")
    if first in ("timestamp", "time"):
        return f"{first}{match[2]} {rest}{match[3]}"
    return f"{TYPE_ALIASES[match[1]]}{match[2]}{match[3]}"


def relations_below(connection: psycopg.Connection[TupleRow], roots: Collection[int]) -> tuple[Relation, ...]:
    """The relations of these OIDs, and what descends from each as a partition or by inheritance."""
    return fetch(connection, Relation, "catalog", "relation_tree", {"roots": list(roots)})


def columns_of(connection: psycopg.Connection[TupleRow], relations: Collection[int]) -> tuple[Column, ...]:
    """The columns of the relations of these OIDs, without their defaults: reading one locks the table."""
    return fetch(connection, Column, "catalog", "relation_columns", {"relations": list(relations)})


def keys_on(connection: psycopg.Connection[TupleRow], relations: Collection[int]) -> tuple[Key, ...]:
    """The foreign keys on the relations of these OIDs, and those tied to them as partitions' keys are."""
    return fetch(connection, Key, "catalog", "foreign_keys", {"relations": list(relations)})

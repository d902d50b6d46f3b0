"""What is known beside a trace: how big tables are, and which columns tell one row from another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.queries import fetch
from wflo_schema.names import qualified

Keys = Mapping[str, frozenset[frozenset[str]]]


@dataclass(frozen=True, slots=True)
class _Key:
    schema: str
    name: str
    columns: list[str]


@dataclass(frozen=True, slots=True)
class Size:
    """How big a table is: estimated ``rows``, None where nobody has counted, and ``bytes`` with its indexes."""

    schema: str
    name: str
    rows: int | None
    bytes: int


@dataclass(frozen=True, slots=True)
class Context:
    """What judges need.  ``rows_that_matter``: a table with fewer rows needs no care; 0 is every table."""

    keys: Keys = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    rows_that_matter: int = 0
    schema: str | None = None
    uses_phases: bool = False

    def matters(self, table: str) -> bool:
        """May it take long to go through this table?  One whose size nobody knows counts as big."""
        size = self.sizes.get(table)
        return not self.rows_that_matter or size is None or size.rows is None or size.rows >= self.rows_that_matter


def read_unique_keys(connection: psycopg.Connection[TupleRow]) -> Keys:
    """The columns of each unique index, by table."""
    found: dict[str, set[frozenset[str]]] = {}
    for key in fetch(connection, _Key, "lint", "unique_keys", {}):
        found.setdefault(qualified(key.schema, key.name), set()).add(frozenset(key.columns))
    return {table: frozenset(keys) for table, keys in found.items()}


def read_sizes(connection: psycopg.Connection[TupleRow]) -> Mapping[str, Size]:
    """How big each table of the database is, by name."""
    return {qualified(s.schema, s.name): s for s in fetch(connection, Size, "lint", "sizes", {})}

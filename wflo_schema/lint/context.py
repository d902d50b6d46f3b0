"""What is known beside a trace: how big tables are, and which columns tell one row from another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.queries import fetch
from wflo_schema.names import bare_name, qualified
from wflo_schema.trace.rates import Rates
from wflo_schema.trace.sizes import Size

Keys = Mapping[str, frozenset[frozenset[str]]]


class New:
    """The relations that were made by a migration which is judged, too: nobody uses them yet."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._bare: set[str] = set()
        self.columns: set[tuple[str, str]] = set()
        """Columns that were added to a table which was there, by the table's bare name."""

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def has_bare(self, name: str) -> bool:
        """Is there one of this name, whatever its schema?"""
        return name in self._bare

    def add(self, names: Iterable[str]) -> None:
        """These are, too."""
        more = set(names) - self._names
        self._names |= more
        self._bare |= set(map(bare_name, more))


@dataclass(frozen=True, slots=True)
class _Key:
    schema: str
    name: str
    columns: list[str]


@dataclass(frozen=True, slots=True)
class Context:
    """What judges need.

    ``sizes`` and ``rates`` are those of the target.  ``rows_that_matter``: a table with fewer rows needs no care; 0 is
    every table.
    """

    keys: Keys = field(default_factory=dict)
    sizes: Mapping[str, Size] = field(default_factory=dict)
    rates: Rates = field(default_factory=Rates)
    rows_that_matter: int = 0
    schema: str | None = None
    uses_phases: bool = False

    def matters(self, table: str) -> bool:
        """May it take long to go through this table?  One whose size nobody knows counts as big."""
        size = self.sizes.get(table)
        if not self.rows_that_matter or size is None or size.rows is None or (size.bytes and not size.rows):
            return True
        return size.rows >= self.rows_that_matter


def read_unique_keys(connection: psycopg.Connection[TupleRow]) -> Keys:
    """The columns of each unique index, by table."""
    found: dict[str, set[frozenset[str]]] = {}
    for key in fetch(connection, _Key, "lint", "unique_keys", {}):
        found.setdefault(qualified(key.schema, key.name), set()).add(frozenset(key.columns))
    return {table: frozenset(keys) for table, keys in found.items()}

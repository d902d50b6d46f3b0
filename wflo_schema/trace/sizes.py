"""How big relations are in a live database.  Hides what pg_class and the files of a partitioned table say of that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.database import PATIENT, Database, database_error
from wflo_schema.connect.queries import fetch

# Milliseconds that asking for a file's size waits behind somebody's ACCESS EXCLUSIVE; then the last count is taken.
_PATIENCE_MS = 200


@dataclass(frozen=True, slots=True)
class Size:
    """How big one relation is; a partitioned one with all its partitions.

    ``relation`` is its ``schema`` and ``name`` as SQL spells them, ``kind`` as in pg_class.relkind.  ``rows`` is what
    PostgreSQL's statistics say (None: they were never collected), ``bytes`` the table alone, ``toast_bytes`` its long
    values, ``index_bytes`` all its ``indexes``.  ``partitions`` counts those with rows of their own.
    ``is_measured``: the files were looked at; else, as somebody had locked one, they are as VACUUM last counted them.
    ``parts`` are the qualified names of its partitions, and of theirs.
    """

    relation: str
    schema: str
    name: str
    kind: str
    rows: int | None
    bytes: int
    toast_bytes: int = 0
    index_bytes: int = 0
    indexes: int = 0
    partitions: int = 0
    is_measured: bool = True
    parts: Sequence[str] = ()

    @property
    def own_bytes(self) -> int:
        """What is copied where the table is: its rows, and their long values."""
        return self.bytes + self.toast_bytes

    @property
    def total_bytes(self) -> int:
        """With its indexes."""
        return self.own_bytes + self.index_bytes


def read_sizes(database: Database, relations: Collection[str]) -> dict[str, Size]:
    """How big these relations are, by their qualified names; one that is not there is left out.

    Reads no row of theirs, and needs no privilege on them.
    """
    if not relations:
        return {}
    with database.connect(settings=PATIENT) as connection:
        return sizes_of(connection, relations)


def sizes_of(connection: psycopg.Connection[TupleRow], relations: Collection[str]) -> dict[str, Size]:
    """The same, over a connection that is in no transaction."""
    names = sorted(set(relations))
    try:
        with connection.transaction():
            connection.execute("SELECT pg_catalog.set_config('lock_timeout', %s, TRUE)", [str(_PATIENCE_MS)])
            connection.execute("SELECT pg_catalog.set_config('search_path', '', TRUE)")
            try:
                with connection.transaction():
                    found = fetch(connection, Size, "trace", "sizes", {"names": names, "pages": False})
            except psycopg.errors.LockNotAvailable:
                found = fetch(connection, Size, "trace", "sizes", {"names": names, "pages": True})
            there = _distributed(connection, names)
    except psycopg.Error as error:
        raise database_error(error, "reading how big tables are") from error
    return {size.relation: there[size.relation].of(size) if size.relation in there else size for size in found}


@dataclass(frozen=True, slots=True)
class _Shards:
    """What the shards of a table hold that Citus distributes: here it is empty."""

    relation: str
    rows: int | None
    is_unknown: bool
    bytes: int
    toast_bytes: int
    index_bytes: int

    def of(self, size: Size) -> Size:
        rows = None if self.is_unknown else self.rows
        return replace(size, rows=rows, bytes=self.bytes, toast_bytes=self.toast_bytes, index_bytes=self.index_bytes)


def _distributed(connection: psycopg.Connection[TupleRow], names: Sequence[str]) -> dict[str, _Shards]:
    """What there is of these tables on the workers; nothing without Citus.  Raise psycopg.Error."""
    has_citus = connection.execute("SELECT pg_catalog.to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL")
    if has_citus.fetchone() != (True,):
        return {}
    return {one.relation: one for one in fetch(connection, _Shards, "trace", "citus_sizes", {"names": names})}

"""How Citus keeps the tables of a database: asked only where it is there."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.connect.queries import fetch, load_sql


@dataclass(frozen=True, slots=True)
class Kept:
    """A table that Citus keeps.

    ``kind`` is hash, range, append, single shard, schema (of a distributed schema), reference or local; a local table
    that ``is_automatic`` is known to Citus for its foreign keys alone.  ``column`` is empty for a kind without one.
    """

    relation: int
    schema: str
    name: str
    kind: str
    column: str
    colocation: int
    shards: int
    is_automatic: bool
    is_partition: bool


def kept_tables(
    connection: psycopg.Connection[TupleRow],
    *,
    schemas: Sequence[str] | None = None,
    relations: Collection[int] | None = None,
) -> tuple[Kept, ...]:
    """The tables that Citus keeps: of these schemas, or of these OIDs, where they are given."""
    asked = {"schemas": schemas, "relations": list(relations) if relations is not None else None}
    return fetch(connection, Kept, "catalog", "distribution", asked)


def distributed_schemas(
    connection: psycopg.Connection[TupleRow], schemas: Sequence[str] | None = None
) -> frozenset[str]:
    """The schemas that Citus distributes, of these where they are given."""
    rows = connection.execute(load_sql("catalog", "distributed_schemas"), {"schemas": schemas}).fetchall()
    return frozenset(str(r[0]) for r in rows)

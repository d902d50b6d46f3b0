"""How fast a server reads a table, and works in a scratch database.  Hides blocks, clocks and how long we look."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.queries import load_sql
from wflo_schema.errors import WfloSchemaError
from wflo_schema.scratch.replay import ScratchOptions, scratch_database
from wflo_schema.trace.sizes import Size

# Bytes: a smaller table is gone through before anybody has noticed, and nothing is measured for it.
SMALL_BYTES = 8 * 1024 * 1024

# Tables of which a part is read, the largest ones, and seconds that reading one may take.
_MOST_TABLES, _READ_S = 3, 0.2

# Blocks that are read at once, and how often, spread over the table.
_CHUNK, _CHUNKS = 128, 12

# Bytes and rows of the table on which work is timed, and milliseconds that this may take.
_WORK_BYTES, _WORK_ROWS, _WORK_MS = 16 * 1024 * 1024, (20_000, 100_000), 10_000

# For the transaction that reads: a pooler would give a session's settings to others.
_READING = (
    "SET TRANSACTION READ ONLY; SET LOCAL lock_timeout = 200; SET LOCAL statement_timeout = 10000; "
    "SET LOCAL jit = off; SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL enable_seqscan = off"
)


@dataclass(frozen=True, slots=True)
class Span:
    """Seconds for one byte or row: at the best, and at the worst that was measured."""

    fast: float
    slow: float


@dataclass(frozen=True, slots=True)
class Work:
    """What was timed in a scratch database on the same server, on a table of so many ``rows`` and ``bytes``.

    In seconds: to look through it for a check, to validate a foreign key, to build an index on random numbers and one
    on texts, to update a tenth of its rows with these two, and to rewrite it, for another type and for a random
    default.
    """

    rows: int
    bytes: int
    check: float
    key: float
    build_numbers: float
    build_texts: float
    update: float
    rewrite: float
    rewrite_random: float


@dataclass(frozen=True, slots=True)
class Rates:
    """What was measured.  ``reads``: for a byte of a table, cached and as it was found, by its qualified name.

    ``work`` is None where nothing could be written, and ``why_not`` says why.
    """

    reads: Mapping[str, Span] = field(default_factory=dict)
    work: Work | None = None
    why_not: str = ""

    def read(self, relation: str) -> Span | None:
        """Of this table, or the span of all that were measured where it is none of them."""
        if relation in self.reads or not self.reads:
            return self.reads.get(relation)
        return Span(min(s.fast for s in self.reads.values()), max(s.slow for s in self.reads.values()))


def measure_rates(database: Database, sizes: Iterable[Size], *, scratch: ScratchOptions | None = None) -> Rates:
    """Measure how fast the server is, for tables of these sizes; nothing where none is large.

    Reads some blocks of the largest of them, cold or cached as they are and then once more, and writes nothing in
    ``database``: what writes is timed in a scratch database on the same server.
    """
    large = sorted((s for s in sizes if s.own_bytes >= SMALL_BYTES), key=lambda s: -s.own_bytes)
    if not large:
        return Rates(why_not="no table is large")
    reads = _read_some([s for s in large if s.kind in "rm" and s.bytes >= SMALL_BYTES][:_MOST_TABLES], database)
    if scratch is not None and scratch.on is not None:
        return Rates(reads, why_not="scratch databases are on another server")
    try:
        with scratch_database(database, scratch=scratch) as empty, empty.connect(settings=PATIENT) as connection:
            return Rates(reads, _work(connection, large[0]))
    except psycopg.Error as error:
        return Rates(reads, why_not=error.diag.message_primary or str(error))
    except WfloSchemaError as error:
        return Rates(reads, why_not=error.message)


def _read_some(tables: Iterable[Size], database: Database) -> dict[str, Span]:
    found = {}
    with database.connect(settings=PATIENT) as connection:
        block = int(connection.execute("SHOW block_size").fetchone()[0])  # type: ignore[index]
        for size in tables:
            try:
                with connection.transaction():
                    connection.execute(_READING)
                    span = _read_one(connection, size, block)
            except psycopg.Error:
                continue  # not ours to read, locked, or gone
            if span is not None:
                found[size.relation] = span
    return found


def _read_one(connection: psycopg.Connection[TupleRow], size: Size, block: int) -> Span | None:
    """Count the rows of some blocks, spread over the table, twice: as they are, and cached."""
    blocks = size.bytes // block
    step = max(blocks // _CHUNKS, _CHUNK)
    starts = [random.randrange(low, max(low + step - _CHUNK, low + 1)) for low in range(0, blocks - _CHUNK + 1, step)]
    query = sql.SQL(load_sql("trace", "read_blocks"))
    table = sql.Identifier(size.schema, size.name)

    def read(first: int) -> float:
        edges = {"first": sql.Literal(f"({first},0)"), "behind": sql.Literal(f"({first + _CHUNK},0)")}
        row = connection.execute(query.format(table=table, **edges)).fetchone()
        return float(row[1]) if row is not None else 0.0

    ended = time.monotonic() + _READ_S
    found, cached = [], []
    for first in random.sample(starts, len(starts)):
        found.append(read(first))
        cached.append(read(first))
        if time.monotonic() >= ended:
            break
    length = _CHUNK * block
    if not found:
        return None
    return Span(min(cached) / length, max(sum(found), sum(cached)) / (len(found) * length))


def _work(connection: psycopg.Connection[TupleRow], like: Size) -> Work:
    """Time what writes, on a table whose rows are as long as those of ``like``."""
    width = like.bytes // like.rows if like.rows else 128
    rows = min(max(_WORK_BYTES // max(width, 1), _WORK_ROWS[0]), _WORK_ROWS[1])
    made = sql.SQL(load_sql("trace", "work_tables")).format(rows=sql.Literal(rows), width=sql.Literal(min(width, 2000)))
    connection.execute("SELECT pg_catalog.set_config('statement_timeout', %s, FALSE)", [str(_WORK_MS)])
    connection.execute(made)
    bytes_ = connection.execute("SELECT pg_catalog.pg_relation_size('wflo_schema_rates.child')").fetchone()
    cursor = connection.execute(load_sql("trace", "work"))
    times: list[datetime] = []
    while True:
        if cursor.description is not None:
            times += [at for (at,) in cursor.fetchall()]
        if not cursor.nextset():
            break
    spent = [(b - a).total_seconds() for a, b in itertools.pairwise(times)]
    return Work(rows, bytes_[0] if bytes_ else 0, *spent)

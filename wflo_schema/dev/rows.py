"""Rows that outlive their tables: kept aside from one database, and put back where the columns still fit.

Hides the order of tables, and what fires when rows are written.  Each table is put back whole or stays as it is;
foreign keys are checked as ever.
"""

from __future__ import annotations

import graphlib
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql

# A table's schema and name.
Table = tuple[str, str]

# Bytes of rows that are kept in memory; what is beyond goes to a temporary file.
_IN_MEMORY = 4_000_000

# The file that says what the others of a folder hold.
_COMPLETE = "rows.json"

# Bytes of a copy that are handled at once.
_CHUNK = 1 << 18

Connection = psycopg.Connection[TupleRow]


@dataclass(frozen=True, slots=True)
class Shape:
    """A table as rows see it; ``spelled`` and ``points_to`` are names as this session writes them."""

    schema: str
    name: str
    columns: list[str]
    points_to: list[str]
    triggers: list[str]
    spelled: str
    size_bytes: int

    @property
    def table(self) -> Table:
        """Its schema and name."""
        return (self.schema, self.name)


Shapes = Mapping[Table, Shape]


@dataclass(slots=True)
class Rows:
    """Rows of tables, each a file in COPY's text form with these columns, and the sequences' last values."""

    tables: dict[Table, tuple[list[str], IO[bytes]]] = field(default_factory=dict)
    sequences: dict[Table, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Lost:
    """A table whose rows could not be put back, and why."""

    table: str
    why: str


def shapes_of(database: Database) -> Shapes:
    """The tables of a database.  Raise `DatabaseError`."""
    with _connected(database, "looking at its tables") as connection:
        return _shapes(connection)


def _shapes(connection: Connection) -> Shapes:
    with connection.cursor(row_factory=class_row(Shape)) as cursor:
        query = load_sql("dev", "shapes")
        found = cursor.execute(query, {"ignore": sorted(LEDGER_TABLES)}).fetchall()
    return {one.table: one for one in found}


@contextmanager
def kept_rows(
    database: Database, tables: Collection[Table] | None = None, *, folder: str | None = None
) -> Iterator[Rows]:
    """Keep aside the rows of these tables (None: of all), until the end.  Raise `DatabaseError`.

    In a ``folder``, if one is given, they stay there: `read_rows` finds them again.
    """
    rows = Rows()
    try:
        with _connected(database, "keeping rows") as connection, connection.transaction():
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            for table, shape in _shapes(connection).items():
                if (tables is None or table in tables) and shape.columns and shape.size_bytes:
                    file = _new_file(folder, len(rows.tables))
                    rows.tables[table] = (shape.columns, file)
                    with connection.cursor().copy(_copy(table, shape.columns, "TO STDOUT")) as copy:
                        for block in copy:
                            file.write(block)
            for schema, name, last in connection.execute(load_sql("dev", "sequences")).fetchall():
                rows.sequences[schema, name] = last
        if folder is not None and rows.tables:
            _describe(folder, rows)
        yield rows
    finally:
        for _, file in rows.tables.values():
            file.close()


def _new_file(folder: str | None, number: int) -> IO[bytes]:
    return tempfile.SpooledTemporaryFile(_IN_MEMORY) if folder is None else open(Path(folder, f"{number}"), "w+b")


def _describe(folder: str, rows: Rows) -> None:
    """Write what the files of a folder hold: it is complete once this is there."""
    for _, file in rows.tables.values():
        file.flush()
    said = {
        "tables": [[*table, columns] for table, (columns, _) in rows.tables.items()],
        "sequences": [[*sequence, last] for sequence, last in rows.sequences.items()],
    }
    Path(folder, _COMPLETE).write_text(json.dumps(said), encoding="utf-8")


@contextmanager
def read_rows(folder: str) -> Iterator[Rows]:
    """The rows that were kept in a folder; none where it is gone, or was not finished."""
    rows = Rows()
    with ExitStack() as stack:
        try:
            said = json.loads(Path(folder, _COMPLETE).read_text(encoding="utf-8"))
            for number, (schema, name, columns) in enumerate(said["tables"]):
                file = stack.enter_context(open(Path(folder, f"{number}"), "rb"))
                rows.tables[schema, name] = (columns, file)
            rows.sequences = {(schema, name): last for schema, name, last in said["sequences"]}
        except (OSError, ValueError):
            rows = Rows()
        yield rows


def empty_ones(database: Database, tables: Collection[Table]) -> Mapping[Table, Collection[str]]:
    """Those of these tables that are there and have no row, with their columns.  Raise `DatabaseError`."""
    with _connected(database, "looking at its tables") as connection:
        there = _shapes(connection)
        any_row = sql.SQL("SELECT 1 FROM {} LIMIT 1")
        return {
            t: there[t].columns
            for t in tables
            if t in there and connection.execute(any_row.format(sql.Identifier(*t))).fetchone() is None
        }


def put_back(database: Database, rows: Rows, wanted: Mapping[Table, Collection[str]]) -> tuple[Lost, ...]:
    """Put rows into these tables, in place of what they hold: of the columns named, those that the rows have.

    Tables that hold the very same rows are left alone.  Returns those that could not take them, and stay as they were.
    """
    lost: list[Lost] = []
    with _connected(database, "putting rows back") as connection, connection.transaction():
        shapes = _shapes(connection)
        chosen = [table for table in _in_order(shapes) if table in wanted and table in rows.tables]
        with _without_triggers(connection, [shapes[t] for t in chosen]):
            emptied = []
            for table in reversed(chosen):
                if _is_there(connection, table, *rows.tables[table], wanted[table]):
                    continue
                try:
                    with connection.transaction():
                        connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(*table)))
                    emptied.append(table)
                except psycopg.Error as error:
                    lost.append(_lost(table, error))
            for table in reversed(emptied):
                columns, file = rows.tables[table]
                common = [c for c in columns if c in wanted[table]]
                try:
                    with connection.transaction():
                        _write(connection, table, columns, common, file)
                except psycopg.Error as error:
                    lost.append(_lost(table, error))
        for (schema, name), last in rows.sequences.items():
            connection.execute(load_sql("dev", "set_sequence"), {"schema": schema, "name": name, "last": last})
    return tuple(lost)


def _is_there(
    connection: Connection, table: Table, columns: list[str], file: IO[bytes], wanted: Collection[str]
) -> bool:
    """Whether the table holds these very rows: a clone has them in the same order."""
    if not set(columns) <= set(wanted):
        return False
    file.seek(0)
    is_same = True
    with connection.cursor().copy(_copy(table, columns, "TO STDOUT")) as copy:
        for block in copy:  # to the end, else the connection is of no more use
            is_same = is_same and file.read(len(block)) == bytes(block)
    return is_same and not file.read(1)


def _write(connection: Connection, table: Table, columns: list[str], common: list[str], file: IO[bytes]) -> None:
    """Write rows; where the table has only some of their columns, by way of a temporary table that has all."""
    file.seek(0)
    if common == columns:
        _read_in(connection, table, columns, file)
        return
    aside = ("pg_temp", "wflo_schema_rows")
    names = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(c)) for c in columns)
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE wflo_schema_rows ({}) ON COMMIT DROP").format(names))
    _read_in(connection, aside, columns, file)
    # what is text here gets the column's type as COPY would read it
    narrow: IO[bytes]
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as narrow:
        with connection.cursor().copy(_copy(aside, common, "TO STDOUT")) as out:
            for block in out:
                narrow.write(block)
        connection.execute("DROP TABLE pg_temp.wflo_schema_rows")
        narrow.seek(0)
        _read_in(connection, table, common, narrow)


def _read_in(connection: Connection, table: Table, columns: Collection[str], file: IO[bytes]) -> None:
    with connection.cursor().copy(_copy(table, columns, "FROM STDIN")) as copy:
        while block := file.read(_CHUNK):
            copy.write(block)


def _lost(table: Table, error: psycopg.Error) -> Lost:
    return Lost(".".join(table), error.diag.message_primary or str(error).strip())


def _copy(table: Table, columns: Collection[str], how: LiteralString) -> sql.Composed:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    return sql.SQL("COPY {} ({}) {}").format(sql.Identifier(*table), names, sql.SQL(how))


def _in_order(shapes: Shapes) -> list[Table]:
    """Tables, those that foreign keys point to first; as they come where the keys go in a circle."""
    by_name = {shape.spelled: table for table, shape in shapes.items()}
    graph = {t: [by_name[p] for p in shape.points_to if p in by_name] for t, shape in shapes.items()}
    try:
        return list(graphlib.TopologicalSorter(graph).static_order())
    except graphlib.CycleError:
        return list(shapes)


@contextmanager
def _without_triggers(connection: Connection, shapes: Collection[Shape]) -> Iterator[None]:
    """Let no trigger fire that a person made; afterwards each is as it was."""
    words = {"O": sql.SQL(""), "R": sql.SQL("REPLICA "), "A": sql.SQL("ALWAYS ")}
    ends = []
    for shape in shapes:
        for trigger in shape.triggers:
            place, name = sql.Identifier(*shape.table), sql.Identifier(trigger[1:])
            connection.execute(sql.SQL("ALTER TABLE {} DISABLE TRIGGER {}").format(place, name))
            enable = sql.SQL("ALTER TABLE {} ENABLE {}TRIGGER {}")
            ends.append(enable.format(place, words[trigger[0]], name))
    yield
    if ends:
        connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
    for end in ends:
        connection.execute(end)


@contextmanager
def _connected(database: Database, doing: str) -> Iterator[Connection]:
    with database.connect() as connection:
        try:
            yield connection
        except psycopg.Error as error:
            raise database_error(error, doing) from error

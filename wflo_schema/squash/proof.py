"""What a set of migrations makes of an empty database: its catalog and its rows, to be held against another's."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import Catalog, Difference
from wflo_schema.catalog.other_ledgers import LEDGER_TABLES
from wflo_schema.catalog.read import read_catalog
from wflo_schema.connect.database import Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.names import qualified
from wflo_schema.scratch.replay import as_in_target


@dataclass(frozen=True, slots=True)
class _Table:
    schema: str
    name: str
    is_sequence: bool
    is_filtered: bool
    is_hidden: bool
    columns: list[str]


@dataclass(frozen=True, slots=True)
class Made:
    """``rows`` holds, by table or sequence, the sum of its rows as a whole under "", and of each column by itself."""

    catalog: Catalog
    rows: Mapping[str, Mapping[str, str]]

    @property
    def filled(self) -> int:
        """The number of tables that hold rows."""
        return sum(len(sums) > 1 for sums in self.rows.values())  # a sequence has no columns


def look_at(database: Database, *, without: Mapping[str, Collection[str]] | None = None) -> Made:
    """Read catalog, privileges and rows.  ``without`` are columns by table that the whole leaves out."""
    left_out = without or {}
    with database.connect() as connection:
        schemas = (database.schema,) if database.schema else None
        found = read_catalog(connection, schemas=schemas, privileges=True, apart=database.ledger_apart)
        catalog = as_in_target(database, found)
        try:
            with connection.transaction(force_rollback=True):
                rows = _read_rows(connection, left_out)
        except psycopg.Error as error:
            raise database_error(error, "reading the rows that the migrations make") from error
    return Made(catalog, rows)


def _read_rows(
    connection: psycopg.Connection[TupleRow], left_out: Mapping[str, Collection[str]]
) -> dict[str, dict[str, str]]:
    with connection.cursor(row_factory=class_row(_Table)) as cursor:
        tables = cursor.execute(load_sql("squash", "tables"), {"ignore": sorted(LEDGER_TABLES)}).fetchall()
    found: dict[str, dict[str, str]] = {}
    objects = connection.execute(load_sql("squash", "large_objects")).fetchone()
    if objects is not None and objects[0] is not None:
        found["large objects"] = {"": str(objects[0])}
    for table in tables:
        name = qualified(table.schema, table.name)
        where = sql.Identifier(table.schema, table.name)
        # the owner may show itself all rows, and takes that back at the end
        if table.is_filtered:
            connection.execute(sql.SQL("ALTER TABLE {} NO FORCE ROW LEVEL SECURITY").format(where))
        if table.is_hidden:
            connection.execute(sql.SQL("GRANT SELECT ON TABLE {} TO CURRENT_USER").format(where))
        if table.is_sequence:
            row = connection.execute(sql.SQL("SELECT last_value, is_called FROM {}").format(where)).fetchone()
            found[name] = {"": str(row)}
            continue
        kept = [c for c in table.columns if c not in left_out.get(name, ())]
        one_row = sql.SQL("ROW({})").format(sql.SQL(", ").join(sql.Identifier("t", c) for c in kept))
        sums = [_sum(one_row), *(_sum(sql.Identifier("t", c)) for c in table.columns)]
        query = sql.SQL("SELECT count(*), {} FROM ONLY {} AS t").format(sql.SQL(", ").join(sums), where)
        counted = connection.execute(query).fetchone()
        assert counted is not None
        many, *values = counted
        if many:
            found[name] = dict(zip(("", *table.columns), (f"{many} {v}" for v in values), strict=True))
    return found


def _sum(value: sql.Composable) -> sql.Composed:
    text = "pg_catalog.md5(pg_catalog.string_agg(({})::text, E'\\n' ORDER BY ({})::text COLLATE \"C\"))"
    return sql.SQL(text).format(value, value)


@dataclass(frozen=True, slots=True)
class Unlike:
    """In what two differ."""

    catalog: tuple[Difference, ...] = ()
    tables: tuple[str, ...] = ()
    failure: str = ""

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each difference; none where they are the same."""
        shown = map(line_of, self.catalog)
        return (*((self.failure,) if self.failure else ()), *shown, *(f"the rows of {t}" for t in self.tables))


def line_of(d: Difference) -> str:
    """A difference on one line."""
    return f"{d.kind} {d.object}{f' {d.attribute}' if d.attribute else ''}: have {d.have}, want {d.want}"


def unlike(have: Made, want: Made) -> Unlike:
    """In what they differ."""
    names = sorted({*have.rows, *want.rows})
    return Unlike(
        compare_catalogs(have.catalog, want.catalog),
        tuple(n for n in names if have.rows.get(n, {}).get("") != want.rows.get(n, {}).get("")),
    )


def changing_columns(one: Made, again: Made) -> dict[str, frozenset[str]]:
    """By table, the columns in which two runs of the very same files differ: times, random values."""
    found: dict[str, frozenset[str]] = {}
    for name, sums in one.rows.items():
        other = again.rows.get(name, {})
        differing = frozenset(c for c, value in sums.items() if c and other.get(c) != value)
        if differing:
            found[name] = differing
    return found

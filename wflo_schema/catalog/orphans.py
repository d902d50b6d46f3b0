"""Find the rows that point nowhere: rows whose foreign key, there or only wanted, has no row to reference.

Hides the anti-join: with which operators, casts and collations PostgreSQL itself compares a key's columns.
Every search is bounded in time and reads only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from wflo_schema.catalog.keys import (
    MATCHES,
    Column,
    Key,
    Relation,
    columns_of,
    keys_on,
    plain_type,
    relations_below,
)
from wflo_schema.connect.database import LOCK_TIMEOUT_MS
from wflo_schema.connect.queries import load_sql
from wflo_schema.findings import OrphanRows

# Rows shown.
SAMPLE = 5

# Milliseconds for counting: an error message is worth waiting for, but not for long.
TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A column of a key, the one it references, and how the two are compared.

    ``cast``, ``to_cast`` and ``collation`` are empty where none is needed.
    """

    column: str
    to_column: str
    operator: str
    cast: str
    to_cast: str
    collation: str


@dataclass(frozen=True, slots=True)
class Reference:
    """A foreign key as the search needs it, whether there is one or not.  ``alias`` is the table's in the queries."""

    alias: LiteralString
    schema: str
    table: str
    to_schema: str
    to_table: str
    pairs: tuple[Pair, ...]
    is_to_partitioned: bool
    is_full: bool
    """MATCH FULL: a row with some NULLs, not all, points nowhere."""
    is_period: bool
    """The last pair is a PERIOD."""
    is_apart: bool = False
    """The referenced values are read first, and by themselves: Citus joins not all tables with each other."""

    @property
    def first(self) -> sql.Composed:
        """What stands before SELECT, DELETE or UPDATE: the referenced values, where they are read apart."""
        if not self.is_apart:
            return sql.Composed([])
        columns = sql.SQL(", ").join(sql.Identifier(p.to_column) for p in self.pairs)
        return sql.SQL("WITH r AS MATERIALIZED (SELECT DISTINCT {} FROM {}) ").format(columns, self._target)

    @property
    def _target(self) -> sql.Composed:
        only = sql.SQL("" if self.is_to_partitioned else "ONLY ")
        return sql.SQL("{}{}").format(only, sql.Identifier(self.to_schema, self.to_table))

    @property
    def source(self) -> sql.Composed:
        """The table.  Not ONLY: the rows of inheritance children show in it as well."""
        return sql.SQL("{} AS {}").format(sql.Identifier(self.schema, self.table), sql.SQL(self.alias))

    @property
    def condition(self) -> sql.Composed:
        """The row points nowhere, as the key itself would see it."""
        nulls = [sql.SQL("{} IS NULL").format(self.column(p.column)) for p in self.pairs]
        if self.is_full and len(self.pairs) > 1:
            return sql.SQL("NOT ({}) AND ({} OR {})").format(
                sql.SQL(" AND ").join(nulls), sql.SQL(" OR ").join(nulls), self._nowhere
            )
        return sql.SQL("NOT ({}) AND {}").format(sql.SQL(" OR ").join(nulls), self._nowhere)

    @property
    def _nowhere(self) -> sql.Composed:
        equal = [self._equal(p) for p in (self.pairs[:-1] if self.is_period else self.pairs)]
        referenced = sql.SQL("r") if self.is_apart else sql.SQL("{} AS r").format(self._target)
        if not self.is_period:
            return sql.SQL("NOT EXISTS (SELECT 1 FROM {} WHERE {})").format(referenced, sql.SQL(" AND ").join(equal))
        period, to_period = self.column(self.pairs[-1].column), sql.Identifier(self.pairs[-1].to_column)
        overlap = sql.SQL("r.{} && {}").format(to_period, period)
        return sql.SQL("NOT coalesce({} <@ (SELECT pg_catalog.range_agg(r.{}) FROM {} WHERE {}), false)").format(
            period, to_period, referenced, sql.SQL(" AND ").join([*equal, overlap])
        )

    def _equal(self, pair: Pair) -> sql.Composed:
        mine: sql.Composable = self.column(pair.column)
        its: sql.Composable = sql.SQL("r.{}").format(sql.Identifier(pair.to_column))
        if pair.cast:
            mine = sql.SQL("CAST({} AS {})").format(mine, raw(pair.cast))
        if pair.to_cast:
            its = sql.SQL("CAST({} AS {})").format(its, raw(pair.to_cast))
        if pair.collation:
            mine = sql.SQL("({} COLLATE {})").format(mine, raw(pair.collation))
        return sql.SQL("{} {} {}").format(its, raw(pair.operator), mine)

    def column(self, name: str) -> sql.Composed:
        """The quoted column of the referencing table, under the query's alias for it."""
        return sql.SQL("{}.{}").format(sql.SQL(self.alias), sql.Identifier(name))

    def listing(self, shown: sql.Composable) -> sql.Composed:
        """The query for ``shown`` of all rows that point nowhere."""
        return sql.SQL("{}SELECT {} FROM {} WHERE {}").format(self.first, shown, self.source, self.condition)


# many parameters: two tables, and how they are compared where there is no key to say so
def refer(
    table: Relation,
    target: Relation,
    pairs: Sequence[tuple[str, str]],
    columns: tuple[Mapping[str, Column], Mapping[str, Column]],
    *,
    have: Key | None,
    match: str,
    is_period: bool,
    is_allowed: bool = False,
    alias: LiteralString = "f",
) -> Reference:
    """The key of these ``pairs`` of columns, compared as the key that is there (``have``) compares them.

    ``columns`` are those of both tables.  Where there is no key, ``is_allowed`` says that PostgreSQL would
    take it, so that its own ``=`` compares them; otherwise columns of different types are compared as text.
    """
    return Reference(
        alias,
        table.schema,
        table.name,
        target.schema,
        target.name,
        tuple(_pair(a, b, columns[0][a], columns[1][b], have, is_allowed=is_allowed) for a, b in pairs),
        is_to_partitioned=target.kind == "p",
        is_full=match == "FULL",
        is_period=is_period,
    )


def _pair(column: str, to_column: str, one: Column, other: Column, have: Key | None, *, is_allowed: bool) -> Pair:
    operator, cast, to_cast = "OPERATOR(pg_catalog.=)", "", ""
    if have is not None:
        place = list(zip(have.columns, have.to_columns, strict=True)).index((column, to_column))
        operator, cast, to_cast = have.operators[place], have.right_types[place], have.left_types[place]
    elif is_allowed:
        operator = "="
    elif plain_type(one.type.partition("(")[0]) != plain_type(other.type.partition("(")[0]):
        cast = to_cast = "text"
    return Pair(
        column,
        to_column,
        operator,
        cast if cast != one.type and not cast.startswith("any") else "",
        to_cast if to_cast != other.type and not to_cast.startswith("any") else "",
        other.collation_name if one.collation != other.collation and other.collation and one.collation else "",
    )


def raw(text: str) -> sql.SQL:
    """SQL that the server itself spelled out: an operator or a type's name."""
    return sql.SQL(text)


@dataclass(frozen=True, slots=True)
class Found:
    """``rows`` are a sample, ``count`` is None where it was not finished, ``error`` says why.

    ``key`` is the one that was searched for, as it was compared.
    """

    key: Reference
    rows: tuple[TupleRow, ...]
    count: int | None
    error: psycopg.Error | None = None


def search(
    connection: psycopg.Connection[TupleRow],
    key: Reference,
    shown: sql.Composable,
    *,
    sample: int,
    deadline: float,
) -> Found:
    """Read a ``sample`` of the rows, and count them.  ``deadline`` is a time of `time.monotonic`.

    Raise what psycopg raises only when the connection is gone; what the server says is in the result.
    """
    rows: tuple[TupleRow, ...] = ()
    try:
        with connection.transaction():
            _bound(connection, deadline)
            query = sql.SQL("{} LIMIT {}").format(key.listing(shown), sql.Literal(max(sample, 1)))
            rows = tuple(connection.execute(query).fetchall())
            if len(rows) < max(sample, 1):
                return Found(key, rows, len(rows))
            _bound(connection, deadline)
            row = connection.execute(key.listing(sql.SQL("count(*)"))).fetchone()
            return Found(key, rows, int(row[0]) if row else None)
    except psycopg.Error as error:
        if connection.closed:
            raise
        if isinstance(error, psycopg.errors.FeatureNotSupported) and not key.is_apart:
            return search(connection, replace(key, is_apart=True), shown, sample=sample, deadline=deadline)
        return Found(key, rows, None, error)


def _bound(connection: psycopg.Connection[TupleRow], deadline: float) -> None:
    """Give the next statement what is left of the time; at least a millisecond, for 0 would mean no limit."""
    left = max(1, round((deadline - time.monotonic()) * 1000))
    connection.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true)",
        (str(left), str(min(left, LOCK_TIMEOUT_MS))),
    )


def of_failed_statement(
    connection: psycopg.Connection[TupleRow], text: str, *, table: tuple[str, str]
) -> OrphanRows | None:
    """The orphan rows that made an ALTER TABLE … VALIDATE or ADD FOREIGN KEY fail.

    ``text`` is the statement, ``table`` the schema and name that PostgreSQL's error named; where it came from another
    node of Citus, it named none (both are empty), and the statement's own counts.  None
    where the statement is of another kind.  Reads only, for at most `TIMEOUT_MS`.
    """
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    found = _key_of(connection, text, sql.Identifier(*table).as_string() if table[1] else "")
    if found is None:
        return None
    name, key = found
    columns, to_columns = [p.column for p in key.pairs], [p.to_column for p in key.pairs]
    primary = _primary_key(connection, sql.Identifier(key.schema, key.table).as_string()) or ["ctid"]
    names = list(dict.fromkeys([*primary, *columns]))
    shown = sql.SQL(", ").join(key.column(n) for n in names)
    orphans = search(connection, key, shown, sample=SAMPLE, deadline=deadline)
    if orphans.error is not None and not isinstance(
        orphans.error, (psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable)
    ):
        raise orphans.error
    return OrphanRows(
        f"{key.table}({', '.join(columns)}) REFERENCES {key.to_table}({', '.join(to_columns)})",
        name,
        orphans.count,
        tuple(", ".join(f"{n}={v}" for n, v in zip(names, row, strict=True)) for row in orphans.rows),
        orphans.key.listing(shown).as_string() + ";",
    )


def _key_of(connection: psycopg.Connection[TupleRow], text: str, table: str) -> tuple[str, Reference] | None:
    """The name and the columns of the key that the statement adds or validates."""
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField("alter_table_stmt"):
        return None
    altered = tree.stmts[0].stmt.alter_table_stmt.relation
    table = table or sql.Identifier(*filter(None, (altered.schemaname, altered.relname))).as_string()
    for item in tree.stmts[0].stmt.alter_table_stmt.cmds:
        command = item.alter_table_cmd
        definition = getattr(command, "def")
        if definition.HasField("constraint"):
            found = _added_key(connection, definition.constraint, table)
        else:
            found = _known_key(connection, command.name, table) if command.name else None
        if found is not None:
            return found
    return None


def _known_key(connection: psycopg.Connection[TupleRow], name: str, table: str) -> tuple[str, Reference] | None:
    there = _relation(connection, table)
    if there is None:
        return None
    keys = keys_on(connection, [there.oid])
    key = next((k for k in keys if k.relation == there.oid and k.name == name), None)
    target = _relation(connection, sql.Identifier(key.to_schema, key.to_table).as_string()) if key else None
    if key is None or target is None:
        return None
    return name, refer(
        there,
        target,
        list(zip(key.columns, key.to_columns, strict=True)),
        (_columns(connection, there), _columns(connection, target)),
        have=key,
        match=MATCHES.get(key.match, "?"),
        is_period=key.is_period,
        alias="t",
    )


def _added_key(connection: psycopg.Connection[TupleRow], constraint: Any, table: str) -> tuple[str, Reference] | None:
    if not constraint.HasField("pktable"):
        return None
    names = [p for p in (constraint.pktable.schemaname, constraint.pktable.relname) if p]
    there, target = _relation(connection, table), _relation(connection, sql.Identifier(*names).as_string())
    if there is None or target is None:
        return None
    columns = [i.string.sval for i in constraint.fk_attrs]
    to_columns = [i.string.sval for i in constraint.pk_attrs] or _primary_key(connection, str(target))
    if not columns or len(columns) != len(to_columns):
        return None
    of_both = (_columns(connection, there), _columns(connection, target))
    if not (set(columns) <= set(of_both[0]) and set(to_columns) <= set(of_both[1])):
        return None
    return constraint.conname, refer(
        there,
        target,
        list(zip(columns, to_columns, strict=True)),
        of_both,
        have=None,
        match=MATCHES.get(constraint.fk_matchtype, "SIMPLE"),
        is_period=False,
        is_allowed=True,
        alias="t",
    )


def _relation(connection: psycopg.Connection[TupleRow], name: str) -> Relation | None:
    row = connection.execute("SELECT pg_catalog.to_regclass(%s)::pg_catalog.oid", (name,)).fetchone()
    if row is None or row[0] is None:
        return None
    tree = relations_below(connection, [row[0]])
    return next((r for r in tree if r.oid == r.root), None)


def _columns(connection: psycopg.Connection[TupleRow], relation: Relation) -> dict[str, Column]:
    return {c.name: c for c in columns_of(connection, [relation.oid])}


def _primary_key(connection: psycopg.Connection[TupleRow], table: str) -> list[str]:
    rows = connection.execute(load_sql("catalog", "primary_key"), {"table": table}).fetchall()
    return [str(row[0]) for row in rows]

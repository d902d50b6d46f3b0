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

from wflo_schema.check import tables
from wflo_schema.check.contract import Contract, RequiredKey, identifier
from wflo_schema.check.expressions import plain_type
from wflo_schema.check.facts import (
    BASE,
    LOCK_TIMEOUT_MS,
    MATCHES,
    Column,
    Facts,
    Key,
    Reader,
    Relation,
    fetch,
    identifiers,
)
from wflo_schema.check.rules import finding
from wflo_schema.connect.queries import load_sql
from wflo_schema.findings import Finding, Location, OrphanRows

# Rows shown.
SAMPLE = 5

# Milliseconds for counting: an error message is worth waiting for, but not for long.
TIMEOUT_MS = 10_000


@dataclass(frozen=True, slots=True)
class Pair:
    """A column of a key, the one it references, and how the two are compared; empty where as they are."""

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
        only = sql.SQL("" if self.is_to_partitioned else "ONLY ")
        referenced = sql.Identifier(self.to_schema, self.to_table)
        if not self.is_period:
            return sql.SQL("NOT EXISTS (SELECT 1 FROM {}{} AS r WHERE {})").format(
                only, referenced, sql.SQL(" AND ").join(equal)
            )
        period, to_period = self.column(self.pairs[-1].column), sql.Identifier(self.pairs[-1].to_column)
        overlap = sql.SQL("r.{} && {}").format(to_period, period)
        return sql.SQL("NOT coalesce({} <@ (SELECT pg_catalog.range_agg(r.{}) FROM {}{} AS r WHERE {}), false)").format(
            period, to_period, only, referenced, sql.SQL(" AND ").join([*equal, overlap])
        )

    def _equal(self, pair: Pair) -> sql.Composed:
        mine: sql.Composable = self.column(pair.column)
        its: sql.Composable = sql.SQL("r.{}").format(sql.Identifier(pair.to_column))
        if pair.cast:
            mine = sql.SQL("CAST({} AS {})").format(mine, _raw(pair.cast))
        if pair.to_cast:
            its = sql.SQL("CAST({} AS {})").format(its, _raw(pair.to_cast))
        if pair.collation:
            mine = sql.SQL("({} COLLATE {})").format(mine, _raw(pair.collation))
        return sql.SQL("{} {} {}").format(its, _raw(pair.operator), mine)

    def column(self, name: str) -> sql.Composed:
        return sql.SQL("{}.{}").format(sql.SQL(self.alias), sql.Identifier(name))

    def listing(self, shown: sql.Composable) -> sql.Composed:
        """The query for ``shown`` of all of them."""
        return sql.SQL("SELECT {} FROM {} WHERE {}").format(shown, self.source, self.condition)


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


def _raw(text: str) -> sql.SQL:
    """SQL that the server itself spelled out: an operator or a type's name."""
    return sql.SQL(text)


@dataclass(frozen=True, slots=True)
class Found:
    """``rows`` are a sample, ``count`` is None where it was not finished, ``error`` says why."""

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
                return Found(rows, len(rows))
            _bound(connection, deadline)
            row = connection.execute(key.listing(sql.SQL("count(*)"))).fetchone()
            return Found(rows, int(row[0]) if row else None)
    except psycopg.Error as error:
        if connection.closed:
            raise
        return Found(rows, None, error)


def _bound(connection: psycopg.Connection[TupleRow], deadline: float) -> None:
    """Give the next statement what is left of the time; at least a millisecond, for 0 would mean no limit."""
    left = max(1, round((deadline - time.monotonic()) * 1000))
    connection.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true)",
        (str(left), str(min(left, LOCK_TIMEOUT_MS))),
    )


@dataclass(frozen=True, slots=True)
class Orphans:
    """The rows of one key that point nowhere.  ``count`` is None where it was not finished.

    ``sample`` holds the key's values as text, ``query`` lists all of them, ``repairs`` are the
    statements to choose from.
    """

    name: str
    source: str
    target: str
    count: int | None
    sample: tuple[tuple[str | None, ...], ...]
    query: str
    repairs: tuple[str, ...] = ()


def of_contract(
    reader: Reader, facts: Facts, contract: Contract, *, timeout_s: float, sample: int
) -> tuple[list[Finding], tuple[Orphans, ...]]:
    """The orphan rows of all the contract's keys, in ``timeout_s`` seconds together, a ``sample`` of each."""
    findings: list[Finding] = []
    found: list[Orphans] = []
    if any(c in BASE for c in reader.unread):
        return [], ()
    deadline = time.monotonic() + timeout_s
    reader.connection.execute("SELECT pg_catalog.set_config('row_security', 'off', true)")
    for key in contract.foreign_keys:
        table, target, where = facts.table(key.table), facts.table(key.to_table), contract.location(key.line)
        absent = [f for name in (key.table, key.to_table) for f in tables.absent(facts, name, where)]
        absent += tables.absent_columns(facts, table, key.columns, where)
        absent += tables.absent_columns(facts, target, key.to_columns, where)
        findings += [f for f in absent if (f.code, f.object) not in {(g.code, g.object) for g in findings}]
        if absent or table is None or target is None:
            continue
        mine, one = _orphans_of(reader, facts, key, table, target, deadline, sample, where)
        findings += mine
        found.append(one)
    return findings, tuple(found)


def _orphans_of(
    reader: Reader,
    facts: Facts,
    key: RequiredKey,
    table: Relation,
    target: Relation,
    deadline: float,
    sample: int,
    where: Location | None,
) -> tuple[list[Finding], Orphans]:
    have = next(iter(facts.keys_like(key.pairs, table, target)), None)
    if have is not None and not all(o.endswith(".=)") for o in have.operators):
        have = None  # pg_constraint was edited
    wanted = refer(
        table,
        target,
        list(zip(key.columns, key.to_columns, strict=True)),
        (facts.columns_of(table.oid), facts.columns_of(target.oid)),
        have=have,
        match=key.match,
        is_period=key.period,
    )
    values = sql.SQL(", ").join(sql.SQL("CAST({} AS text)").format(wanted.column(c)) for c in key.columns)
    found = search(reader.connection, wanted, values, sample=sample, deadline=deadline)
    listing = wanted.listing(sql.SQL("{}.*").format(sql.SQL(wanted.alias))).as_string(reader.connection) + ";"
    empty = Orphans(key.name or key.source, key.source, key.target, None, (), listing)
    label, want, rows = facts.label(key), facts.wanted(key), found.rows
    if found.error is not None and not rows:
        return [_unreadable(reader, found.error, table, target, label, want, where)], empty
    if found.count == 0:
        return [], replace(empty, count=0)
    shown = "; ".join(", ".join("NULL" if v is None else repr(v) for v in row) for row in rows[:sample])
    number = f"at least {len(rows)}" if found.count is None else str(found.count)
    noun = "row points" if found.count == 1 else "rows point"
    message = f"{number} {noun} nowhere" + (f": ({identifiers(key.columns)}) = {shown}" if shown else "")
    return [
        finding(
            "orphan-rows",
            label,
            message,
            have=f"{number} orphan row{'' if found.count == 1 else 's'}",
            want=want,
            help_=listing,
            location=where,
        )
    ], replace(empty, count=found.count, sample=rows[:sample], repairs=_repairs(reader, facts, key, table, wanted))


def _repairs(reader: Reader, facts: Facts, key: RequiredKey, table: Relation, wanted: Reference) -> tuple[str, ...]:
    """The statements to choose from: delete the rows, set them NULL, or restore what they point to."""
    delete = sql.SQL("DELETE FROM {} WHERE {};").format(wanted.source, wanted.condition)
    nulled = sql.SQL(", ").join(
        sql.SQL("{} = NULL").format(_raw(identifier(c))) for c in (key.set_columns or key.columns)
    )
    update = sql.SQL("UPDATE {} SET {} WHERE {};").format(wanted.source, nulled, wanted.condition)
    may_be_null = any(facts.columns_of(table.oid)[c].is_nullable for c in key.columns)
    return (
        delete.as_string(reader.connection),
        *((update.as_string(reader.connection),) if may_be_null else ()),
        f"INSERT INTO {facts.full(key.to_table)} ({identifiers(key.to_columns)}, …) VALUES …;",
    )


def _unreadable(
    reader: Reader,
    error: psycopg.Error,
    table: Relation,
    target: Relation,
    label: str,
    want: str,
    where: Location | None,
) -> Finding:
    said = error.diag.message_primary or str(error)
    if error.sqlstate == "57014":
        return finding(
            "rows-unfinished",
            label,
            "the time given ran out before all rows were read",
            want=want,
            help_="give it longer: --timeout SECONDS",
            location=where,
        )
    if error.sqlstate == "55P03":
        return finding(
            "rows-unfinished",
            label,
            "another session holds a lock on the tables",
            want=want,
            help_="run it again when the other session is done",
            location=where,
        )
    role = identifier(reader.session.role)
    if "row-level security" in said:
        mend = f"ALTER ROLE {role} BYPASSRLS; -- or run it as the owner"
    elif error.sqlstate == "42501":
        schemas = ", ".join(dict.fromkeys(identifier(r.schema) for r in (table, target)))
        mend = f"GRANT USAGE ON SCHEMA {schemas} TO {role}; GRANT SELECT ON {table}, {target} TO {role};"
    else:
        mend = ""
    return finding("rows-unreadable", label, f"the rows cannot be read: {said}", want=want, help_=mend, location=where)


def of_failed_statement(
    connection: psycopg.Connection[TupleRow], text: str, *, table: tuple[str, str]
) -> OrphanRows | None:
    """The orphan rows that made an ALTER TABLE … VALIDATE or ADD FOREIGN KEY fail.

    ``text`` is the statement, ``table`` the schema and name that PostgreSQL's error named.  None
    where the statement is of another kind.  Reads only, for at most `TIMEOUT_MS`.
    """
    deadline = time.monotonic() + TIMEOUT_MS / 1000
    found = _key_of(connection, text, sql.Identifier(*table).as_string())
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
        key.listing(shown).as_string() + ";",
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
    keys = fetch(connection, Key, "keys", {"relations": [there.oid]})
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
    tree = fetch(connection, Relation, "tree", {"roots": [row[0]]})
    return next((r for r in tree if r.oid == r.root), None)


def _columns(connection: psycopg.Connection[TupleRow], relation: Relation) -> dict[str, Column]:
    return {c.name: c for c in fetch(connection, Column, "columns", {"relations": [relation.oid]})}


def _primary_key(connection: psycopg.Connection[TupleRow], table: str) -> list[str]:
    rows = connection.execute(load_sql("check", "orphans_primary_key"), {"table": table}).fetchall()
    return [str(row[0]) for row in rows]

"""Hold the rows of every foreign key of a contract to it: those that point nowhere are findings."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import psycopg
from psycopg import sql

from wflo_schema.catalog.keys import Relation
from wflo_schema.catalog.orphans import Reference, raw, refer, search
from wflo_schema.check import foreign, tables
from wflo_schema.check.contract import Contract, RequiredKey
from wflo_schema.check.facts import BASE, Facts, Reader
from wflo_schema.check.rules import finding
from wflo_schema.findings import Finding, Location
from wflo_schema.names import identifiers, quote
from wflo_schema.words import plural


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
    silent: frozenset[int] = frozenset()
    if facts.foreign:
        findings, silent = foreign.look(reader, facts, contract, deadline=deadline)
    for key in contract.foreign_keys:
        table, target, where = facts.table(key.table), facts.table(key.to_table), contract.location(key.line)
        absent = [f for name in (key.table, key.to_table) for f in tables.absent(facts, name, where)]
        absent += tables.absent_columns(facts, table, key.columns, where)
        absent += tables.absent_columns(facts, target, key.to_columns, where)
        findings += absent
        if absent or table is None or target is None:
            continue
        reached = {r.oid for r in facts.tree(table)} | {r.oid for r in facts.tree(target) if target.kind == "p"}
        if reached & silent:
            found.append(Orphans(key.name or key.source, key.source, key.target, None, (), ""))
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
    wanted = found.key
    listing = wanted.listing(sql.SQL("{}.*").format(sql.SQL(wanted.alias))).as_string(reader.connection) + ";"
    empty = Orphans(key.name or key.source, key.source, key.target, None, (), listing)
    label, want, rows = facts.label(key), facts.wanted(key), found.rows
    if found.error is not None and not rows:
        return [_unreadable(reader, found.error, table, target, label, want, where)], empty
    if found.count == 0:
        return [], replace(empty, count=0)
    shown = "; ".join(", ".join("NULL" if v is None else repr(v) for v in row) for row in rows[:sample])
    number = f"at least {len(rows)}" if found.count is None else str(found.count)
    many = found.count or len(rows) + 1  # the rows found before the time was over are not all
    sample_text = f": ({identifiers(key.columns)}) = {shown}" if shown else ""
    message = f"{number} {plural(many, 'row points', 'rows point')} nowhere{sample_text}"
    return [
        finding(
            "orphan-rows",
            label,
            message,
            have=f"{number} {plural(many, 'orphan row')}",
            want=want,
            help_=listing,
            location=where,
        )
    ], replace(empty, count=found.count, sample=rows[:sample], repairs=_repairs(reader, facts, key, table, wanted))


def _repairs(reader: Reader, facts: Facts, key: RequiredKey, table: Relation, wanted: Reference) -> tuple[str, ...]:
    """The statements to choose from: delete the rows, set them NULL, or restore what they point to."""
    delete = sql.SQL("{}DELETE FROM {} WHERE {};").format(wanted.first, wanted.source, wanted.condition)
    nulled = sql.SQL(", ").join(sql.SQL("{} = NULL").format(raw(quote(c))) for c in (key.set_columns or key.columns))
    update = sql.SQL("{}UPDATE {} SET {} WHERE {};").format(wanted.first, wanted.source, nulled, wanted.condition)
    may_be_null = any(facts.columns_of(table.oid)[c].is_nullable for c in key.columns)
    return (
        delete.as_string(reader.connection),
        *((update.as_string(reader.connection),) if may_be_null else ()),
        f"INSERT INTO {facts.full(key.to_table)} ({identifiers(key.to_columns)}, …) VALUES …;",
    )


# What ended the search, in words, and what to do then.
_UNFINISHED = {
    "57014": ("the time given ran out before all rows were read", "give it longer: --timeout 5min"),
    "55P03": ("another session holds a lock on the tables", "run it again when the other session is done"),
}


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
    if error.sqlstate in _UNFINISHED:
        why, then = _UNFINISHED[error.sqlstate]
        return finding("rows-unfinished", label, why, want=want, help_=then, location=where)
    role = quote(reader.session.role)
    if "row-level security" in said:
        mend = f"ALTER ROLE {role} BYPASSRLS; -- or run it as the owner"
    elif error.sqlstate == "42501":
        schemas = ", ".join(dict.fromkeys(quote(r.schema) for r in (table, target)))
        mend = f"GRANT USAGE ON SCHEMA {schemas} TO {role}; GRANT SELECT ON {table}, {target} TO {role};"
    else:
        mend = ""
    return finding("rows-unreadable", label, f"the rows cannot be read: {said}", want=want, help_=mend, location=where)

"""Write a contract from a live database: `check` then holds this database, or another, to it.

Hides which of what is there can be required, and in which spelling.  Reads only.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg

from wflo_schema.catalog.keys import ACTIONS, MATCHES, Column, Key, columns_of, keys_on, relations_below
from wflo_schema.check.contract import (
    Allowance,
    Contract,
    Name,
    RequiredCheck,
    RequiredColumn,
    RequiredDistribution,
    RequiredIndex,
    RequiredKey,
    RequiredTable,
    RequiredUnique,
)
from wflo_schema.check.contract_file import render_contract
from wflo_schema.check.distribution import Kept, read_kept
from wflo_schema.check.facts import (
    BASE,
    CheckConstraint,
    Facts,
    Index,
    Named,
    Reader,
    begin_reading,
    by_relation,
    look_in,
    path_schemas,
    read_checks,
    read_defaults,
    read_indexes,
    read_weak_not_nulls,
    unseen,
)
from wflo_schema.connect.database import PATIENT, Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.schemas import refuse_missing_schema
from wflo_schema.errors import CannotRead, Refused, UsageError
from wflo_schema.names import identifiers, qualified, quote
from wflo_schema.words import listed, plural


@dataclass(frozen=True, slots=True)
class _There:
    """All that a contract can require of the schemas that were chosen."""

    facts: Facts
    defaults: Mapping[tuple[int, int], str]
    indexes: tuple[Index, ...]
    checks: tuple[CheckConstraint, ...]
    weak_not_nulls: Collection[tuple[int, int]]
    others: Sequence[str] = ()
    """Schemas that hold tables, too, and are left out."""
    kept: Sequence[Kept] = ()
    """What Citus keeps of the tables."""
    unguarded: Mapping[int, str] = field(default_factory=dict)
    """Tables with a foreign table below them, which guards nothing."""


def freeze_contract(
    database: Database,
    *,
    schema: str | None = None,
    all_schemas: bool = False,
    allowances: tuple[Allowance, ...] = (),
    production: tuple[str, ...] = (),
) -> str:
    """Write a contract of all tables of one schema: keys, unique and check constraints, indexes, columns.

    ``schema`` None means the target's, else the first of its search_path that holds a table; where none does, or
    with ``all_schemas``, every schema that does.  Ledgers and what belongs to extensions are left out.
    ``allowances`` and ``production`` are written down with it.  `parse_contract` reads it back, and it holds.

    A foreign key that is not validated or not enforced cannot be required and becomes a comment.

    Raise `CannotRead` when a catalog may not be read, `Refused` when no table or no such schema is there.
    """
    given = schema or database.schema
    if given and all_schemas:
        raise UsageError(
            f"one schema is named ({given}), and all are asked for", hint="leave out --schema or --all-schemas"
        )
    refuse_missing_schema(database.with_schema(given))
    with database.connect(autocommit=False, settings=PATIENT) as connection:
        try:
            reader = begin_reading(connection)
            there = _read(reader, given, all_schemas=all_schemas)
        except psycopg.Error as error:
            raise database_error(error, "reading the catalog") from error
    facts = there.facts
    if not facts.named:
        raise _empty(database, given, there.others)
    weak = [
        f"Not required here, because it is {'NOT VALID' if k.is_enforced else 'NOT ENFORCED'}: {quote(k.name)}, {k}"
        for k in _keys(facts)
        if not (k.is_validated and k.is_enforced)
    ]
    weak += [
        f"No NOT NULL and no CHECK of {qualified(n.schema, n.name)} is required here: "
        f"its rows in {there.unguarded[n.oid]}, a foreign table, escape them."
        for n in facts.named
        if n.oid in there.unguarded
    ]
    schemas = tuple(dict.fromkeys(n.schema for n in facts.named))
    title = f"What {plural(len(schemas), 'schema')} {identifiers(schemas)} of database {reader.session.database} had"
    left = [f"Not in it: the tables of {listed(map(quote, there.others))}; --all-schemas takes them in."]
    contract = replace(_contract(there), allowances=allowances, production=production)
    return render_contract(
        contract, comment="\n".join((f"{title} when this was written.", *(left if there.others else ()), *weak))
    )


def _empty(database: Database, given: str | None, others: Sequence[str]) -> Refused:
    nothing = f"no schema of the search_path of {database.label} has a table"
    if given:
        nothing = f"the schema {given} of {database.label} has no table"
    hint = f"tables are in {listed(map(quote, others))}: --schema {quote(others[0])}" if others else "migrate it first"
    return Refused(f"{nothing} that a contract could require", hint=hint)


def _read(reader: Reader, given: str | None, *, all_schemas: bool) -> _There:
    if not reader.can(*BASE, "pg_attrdef", "pg_constraint", "pg_operator", "pg_index", "pg_am"):
        grants = " ".join(f.help for f in unseen(reader))
        raise CannotRead(
            f"{reader.session.role} may not read {', '.join(reader.unread)}", hint=grants, sqlstate="42501"
        )
    path = (given,) if given else path_schemas(reader)
    named = next((t for s in path if (t := _tables(reader, s))), ())
    rows = reader.connection.execute(load_sql("check", "freeze_schemas"), {"ignore": _ledgers()}).fetchall()
    others = [str(r[0]) for r in rows if not (named and r[0] == named[0].schema)]
    if not given and (all_schemas or not named):
        named = (*named, *(n for s in others for n in _tables(reader, s)))
        others = []
    schema = named[0].schema if named else path[0]
    look_in(reader, schema)  # before anything that PostgreSQL spells by the search_path
    oids = [n.oid for n in named]
    columns = columns_of(reader.connection, oids)
    defaults = read_defaults(reader, oids)
    if defaults is None:
        raise CannotRead(
            "the defaults cannot be read: another session holds a lock on a table",
            hint="run it again when the other session is done",
        )
    return _There(
        Facts(schema, named=named, columns=columns, keys=keys_on(reader.connection, oids)),
        defaults,
        read_indexes(reader, oids),
        read_checks(reader, oids),
        read_weak_not_nulls(reader, oids).keys(),
        others,
        read_kept(reader, oids),
        {r.root: str(r) for r in relations_below(reader.connection, oids) if r.kind == "f"},
    )


def _ledgers() -> list[str]:
    from wflo_schema.catalog.other_ledgers import LEDGER_TABLES

    return sorted(LEDGER_TABLES)


def _tables(reader: Reader, schema: str) -> tuple[Named, ...]:
    """The tables of a schema, without ledgers and without those of the system."""
    from wflo_schema.catalog.other_ledgers import ledger_tables

    if schema in ("pg_catalog", "information_schema"):
        return ()
    named = reader.rows(Named, "freeze_tables", {"schema": schema, "ignore": _ledgers()})
    its = by_relation(columns_of(reader.connection, [n.oid for n in named]))
    tables = {(schema, n.name): frozenset(c.name for c in its.get(n.oid, ())) for n in named}
    ledgers = ledger_tables(tables)
    return tuple(n for n in named if (schema, n.name) not in ledgers)


def _name(facts: Facts, schema: str, table: str) -> Name:
    return Name(table, None if schema == facts.schema else schema)


def _keys(facts: Facts) -> list[Key]:
    return [k for n in facts.named for k in facts.keys_on(n.oid)]


def _contract(there: _There) -> Contract:
    facts = there.facts
    names = {n.oid: _name(facts, n.schema, n.name) for n in facts.named}
    return Contract(
        facts.schema,
        tuple(map(RequiredTable, names.values())),
        tuple(_required_keys(names, facts)),
        tuple(
            RequiredColumn(
                names[c.relation],
                c.name,
                c.type,
                _is_nullable(there, c),
                there.defaults.get((c.relation, c.number)),
            )
            for n in facts.named
            for c in facts.columns_of(n.oid).values()
        ),
        tuple(_required_uniques(names, facts, there.indexes)),
        tuple(
            RequiredCheck(c.name, names[c.relation], c.expression)
            for c in there.checks
            if c.is_validated and c.is_enforced and c.relation not in there.unguarded
        ),
        tuple(_required_indexes(names, facts, there.indexes)),
        is_schema_distributed=any(k.kind == "schema" and k.schema == facts.schema for k in there.kept),
        distributions=tuple(_required_distributions(names, facts, there.kept)),
    )


def _required_distributions(
    names: Mapping[int, Name], facts: Facts, kept: Iterable[Kept]
) -> Iterator[RequiredDistribution]:
    """How Citus keeps the tables.  What the distributed schema says of its own is not said again."""
    first: dict[int, Name] = {}
    there = {k.relation: k for k in kept}
    for oid, name in names.items():
        have = there.get(oid)
        if have is None or have.kind == "local" or (have.kind == "schema" and have.schema == facts.schema):
            continue
        if have.kind == "reference":
            yield RequiredDistribution(name, is_reference=True)
        else:
            beside = first.get(have.colocation)
            first.setdefault(have.colocation, name)
            yield RequiredDistribution(name, have.column or None, colocated_with=beside)


def _is_nullable(there: _There, column: Column) -> bool | None:
    """None for a NOT NULL that does not hold for all rows, or may not."""
    is_weak = (column.relation, column.number) in there.weak_not_nulls
    return None if is_weak or (column.relation in there.unguarded and not column.is_nullable) else column.is_nullable


def _required_keys(names: Mapping[int, Name], facts: Facts) -> Iterator[RequiredKey]:
    """The keys that are enforced.  One that is there twice is required once."""
    seen = set()
    for key in _keys(facts):
        required = RequiredKey(
            key.name,
            names[key.relation],
            tuple(key.columns),
            _name(facts, key.to_schema, key.to_table),
            tuple(key.to_columns),
            ACTIONS[key.on_delete],
            tuple(key.set_columns),
            ACTIONS[key.on_update],
            MATCHES[key.match],
            key.deferrable,
            key.is_period,
        )
        what = (required.table, frozenset(key.pairs.items()), required.to_table)
        if key.is_validated and key.is_enforced and what not in seen:
            seen.add(what)
            yield required


def _required_uniques(names: Mapping[int, Name], facts: Facts, indexes: Iterable[Index]) -> Iterator[RequiredUnique]:
    seen = set()
    for index in indexes:
        by_number = {c.number: c.name for c in facts.columns_of(index.relation).values()}
        columns = tuple(dict.fromkeys(by_number.get(n, "") for n in index.columns[: index.key_count]))
        plain = (
            index.is_unique and index.is_valid and index.is_immediate and index.predicate is None and "" not in columns
        )
        if plain and (index.relation, frozenset(columns)) not in seen:
            seen.add((index.relation, frozenset(columns)))
            yield RequiredUnique(index.constraint_name or index.name, names[index.relation], columns, index.is_primary)


def _required_indexes(names: Mapping[int, Name], facts: Facts, indexes: Iterable[Index]) -> Iterator[RequiredIndex]:
    for index in indexes:
        by_number = {c.number: c.name for c in facts.columns_of(index.relation).values()}
        columns = tuple(by_number.get(n, "") for n in index.columns[: index.key_count])
        is_plain_unique = index.is_unique and index.predicate is None
        if index.is_valid and "" not in columns and not index.is_of_constraint and not is_plain_unique:
            yield RequiredIndex(
                index.name, names[index.relation], columns, index.is_unique, index.method, index.predicate
            )

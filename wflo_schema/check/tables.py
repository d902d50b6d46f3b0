"""Say whether a table and what is on it are as a contract requires: columns, unique and check constraints, indexes.

Hides which spellings of a type or an expression are the same, and which indexes are as good as a constraint
or serve a foreign key.  Foreign keys themselves are `foreign_key`'s.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

from wflo_schema.catalog.keys import RELKINDS, TYPE_ALIASES, Column, Relation, plain_type
from wflo_schema.check.contract import (
    Contract,
    Name,
    RequiredCheck,
    RequiredColumn,
    RequiredIndex,
    RequiredKey,
    RequiredTable,
    RequiredUnique,
)
from wflo_schema.check.expressions import builtin_types, has_type, is_expression, is_same_expression, is_same_type
from wflo_schema.check.facts import UNREAD, CheckConstraint, Facts, Index, Reader
from wflo_schema.check.foreign import cannot_have, unguarded
from wflo_schema.check.rules import MIGRATE, NOTHING, finding
from wflo_schema.errors import BadContract
from wflo_schema.findings import Finding, Location
from wflo_schema.names import NAME_BYTES, identifiers, qualified, quote


def judge_table(facts: Facts, contract: Contract, table: RequiredTable) -> Iterator[Finding]:
    """A table that is not there, or is no table, or is emptied by a crash."""
    where = contract.location(table.line)
    yield from absent(facts, table.name, where)
    found = facts.table(table.name)
    if found is not None and found.persistence == "u":
        yield finding(
            "table-unlogged",
            str(found),
            f"{found} is UNLOGGED: a crash empties it",
            have="UNLOGGED",
            want="LOGGED",
            help_=f"ALTER TABLE {found} SET LOGGED;",
            location=where,
        )


def absent(facts: Facts, name: Name, where: Location | None) -> Iterator[Finding]:
    """That there is no such table, or what stands in its place."""
    shown, found = facts.full(name), facts.find(name)
    if found is None:
        others = [n for n in facts.named if n.name == name.name]
        near = f"; there is {' and '.join(qualified(o.schema, o.name) for o in others[:3])}" if others else ""
        yield finding(
            "table-missing",
            shown,
            f"there is no table {shown}{near}",
            have=NOTHING,
            want=f"table {shown}",
            help_=MIGRATE,
            location=where,
        )
    elif found.kind not in ("r", "p"):
        kind = RELKINDS.get(found.kind, "relation")
        yield finding(
            "table-wrong-kind",
            shown,
            f"{shown} is a {kind}, which can hold no foreign key",
            have=f"{kind} {shown}",
            want=f"table {shown}",
            location=where,
        )


def absent_columns(
    facts: Facts, table: Relation | None, columns: Iterable[str], where: Location | None
) -> Iterator[Finding]:
    """The columns that the table lacks; nothing where the table itself is not there."""
    if table is None:
        return
    there = facts.columns_of(table.oid)
    for column in columns:
        if column not in there:
            yield _absent_column(table, column, f"column {quote(column)}", where)


def judge_column(
    reader: Reader, facts: Facts, contract: Contract, column: RequiredColumn, weak: Mapping[tuple[int, int], str]
) -> Iterator[Finding]:
    """A column that is not there, or has another type, nullability or default.

    ``weak`` are the NOT NULL constraints that are not validated, by relation and column number.
    """
    where = contract.location(column.line)
    table = facts.table(column.table)
    if table is None:
        if column.table not in contract.listed:
            yield from absent(facts, column.table, where)
        yield finding(
            "column-missing",
            f"{facts.full(column.table)}.{quote(column.name)}",
            "its table is not there",
            have=NOTHING,
            want=f"column {quote(column.name)}",
            location=where,
        )
        return
    found = facts.columns_of(table.oid).get(column.name)
    if found is None:
        yield _absent_column(table, column.name, f"{quote(column.name)} {column.type or ''}".strip(), where)
        return
    yield from _judge_type(reader, facts, table, column, found, where)
    yield from _judge_nullability(facts, table, column, weak, where)
    yield from _judge_default(reader, facts, table, column, found, where)


def _judge_type(
    reader: Reader, facts: Facts, table: Relation, column: RequiredColumn, found: Column, where: Location | None
) -> Iterator[Finding]:
    if column.type is None or _is_same_word(column.type, found.type):
        return
    name = f"{table}.{quote(column.name)}"
    is_same = is_same_type(reader, column.type, found.type)
    if is_same is None:
        yield _unspelled(reader, facts, name, f"the type of {name}", column.type, where)
    elif not is_same:
        _refuse_misspelt(reader, column.type, name, where)
        yield finding(
            "column-wrong",
            name,
            f"{name} is of another type",
            have=found.type,
            want=column.type,
            help_=f"ALTER TABLE {table} ALTER COLUMN {quote(column.name)} TYPE {column.type}"
            f" USING {quote(column.name)}::{column.type};",
            location=where,
        )


def _refuse_misspelt(reader: Reader, wanted: str, name: str, where: Location | None) -> None:
    """Raise `BadContract` for a type that is nowhere and is spelled nearly like one of PostgreSQL's own."""
    first = wanted.split("(")[0].lower()
    if '"' in wanted or "." in wanted or has_type(reader, wanted) is not False:
        return
    known = {*TYPE_ALIASES, *TYPE_ALIASES.values(), *builtin_types(reader)}
    close = difflib.get_close_matches(first, sorted(known), 1, cutoff=0.8)
    if close:
        place = f"{where}: " if where else ""
        raise BadContract(f"{place}{name}: there is no type {wanted}", hint=f"did you mean {close[0]}?")


def _judge_nullability(
    facts: Facts, table: Relation, column: RequiredColumn, weak: Mapping[tuple[int, int], str], where: Location | None
) -> Iterator[Finding]:
    """Of the column itself, and of those that inherit it."""
    if column.is_nullable is None:
        return
    name, found = f"{table}.{quote(column.name)}", facts.columns_of(table.oid)[column.name]
    if column.is_nullable != found.is_nullable:
        yield finding(
            "column-wrong",
            name,
            f"{name} {'accepts' if found.is_nullable else 'refuses'} NULL",
            have="null" if found.is_nullable else "not null",
            want="null" if column.is_nullable else "not null",
            help_=f"ALTER TABLE {table} ALTER COLUMN {quote(column.name)} "
            f"{'DROP' if column.is_nullable else 'SET'} NOT NULL;",
            location=where,
        )
    elif not column.is_nullable and (table.oid, found.number) in weak:
        constraint = quote(weak[table.oid, found.number])
        yield finding(
            "column-wrong",
            name,
            f"{constraint} is NOT VALID: rows from before may be NULL",
            have="not null, NOT VALID",
            want="not null",
            help_=f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint};",
            location=where,
        )
    if not column.is_nullable and not found.is_nullable:
        want = f"NOT NULL of {quote(column.name)}"
        yield from unguarded(
            facts, table, f".{quote(column.name)}", want, f"ALTER COLUMN {quote(column.name)} SET NOT NULL", where
        )
    for child in () if column.is_nullable else facts.children(table):
        its = facts.columns_of(child.oid).get(column.name)
        if its is not None and (its.is_nullable or (child.oid, its.number) in weak):
            yield finding(
                "column-wrong",
                f"{child}.{quote(column.name)}",
                f"{child} inherits from {table}: its rows show there and may be NULL",
                have="null" if its.is_nullable else "not null, NOT VALID",
                want="not null",
                help_=f"ALTER TABLE {child} ALTER COLUMN {quote(column.name)} SET NOT NULL;",
                location=where,
            )


def _judge_default(
    reader: Reader, facts: Facts, table: Relation, column: RequiredColumn, found: Column, where: Location | None
) -> Iterator[Finding]:
    if column.default is None:
        return
    name = f"{table}.{quote(column.name)}"
    if found.default == UNREAD:
        yield _locked(name, f"the default of {name}", column.default, where)
        return
    is_same = _is_same(reader, facts, table, column.default, found.default, as_type=found.type)
    if is_same is None:
        yield _unspelled(reader, facts, name, f"the default of {name}", column.default, where)
    elif not is_same:
        yield finding(
            "column-wrong",
            name,
            f"{name} has another default",
            have=found.default or NOTHING,
            want=column.default,
            help_=f"ALTER TABLE {table} ALTER COLUMN {quote(column.name)} SET DEFAULT {column.default};",
            location=where,
        )


def _absent_column(table: Relation, column: str, want: str, where: Location | None) -> Finding:
    return finding(
        "column-missing",
        f"{table}.{quote(column)}",
        f"{table} has no column {quote(column)}",
        have=NOTHING,
        want=want,
        location=where,
    )


def _words(text: str) -> str:
    return " ".join(text.split())


def _is_same_word(want: str, have: str) -> bool:
    """Whether two types are spelled the same, where that can be said without asking."""
    return want == have if '"' in want + have else plain_type(want) == plain_type(have)


def _is_same(
    reader: Reader, facts: Facts, table: Relation, want: str, have: str | None, *, as_type: str = ""
) -> bool | None:
    """Whether an expression as a person writes it is the one that PostgreSQL spells out; None: that cannot be asked."""
    if have is None or _words(want) == _words(have):
        return have is not None
    columns = tuple(facts.columns_of(table.oid).values())
    return is_same_expression(reader, columns, Name(table.name), want, have, as_type=as_type)


def _unspelled(reader: Reader, facts: Facts, object_: str, what: str, want: str, where: Location | None) -> Finding:
    return finding(
        "cannot-see",
        object_,
        f"{what} cannot be compared: this role may not use what is named in it",
        want=want,
        help_=f"GRANT USAGE ON SCHEMA {quote(facts.schema)} TO {quote(reader.session.role)};",
        location=where,
    )


def _locked(object_: str, what: str, want: str, where: Location | None) -> Finding:
    return finding(
        "cannot-see",
        object_,
        f"{what} cannot be read now: another session holds a lock on the table, or pg_attrdef may not be read",
        want=want,
        help_="run it again when the other session is done",
        location=where,
    )


def indexes_on(
    facts: Facts, indexes: Mapping[int, Sequence[Index]], wanted: RequiredUnique | RequiredIndex
) -> list[Index]:
    """The indexes on these columns, unique where that is wanted."""
    table = facts.table(wanted.table)
    if table is None:
        return []
    numbers = {c.name: c.number for c in facts.columns_of(table.oid).values()}
    columns = [numbers.get(c, -1) for c in wanted.columns]
    if isinstance(wanted, RequiredIndex):
        return [i for i in indexes.get(table.oid, ()) if i.columns[: i.key_count] == columns]
    its = indexes.get(table.oid, ())
    return [i for i in its if i.is_unique and set(i.columns[: i.key_count]) == set(columns)]


def judge_unique(
    facts: Facts, contract: Contract, indexes: Mapping[int, Sequence[Index]], unique: RequiredUnique
) -> Iterator[Finding]:
    """Columns that no valid, complete unique constraint or index keeps unique."""
    shown, table = facts.full(unique.table), facts.table(unique.table)
    word = "PRIMARY KEY" if unique.is_primary else "UNIQUE"
    want = f"{word} ({identifiers(unique.columns)})"
    near: list[str] = []
    if table is not None:
        numbers = {c.name: c.number for c in facts.columns_of(table.oid).values()}
        wanted = {numbers.get(c, -1) for c in unique.columns}
        for index in (i for i in indexes.get(table.oid, ()) if set(i.columns[: i.key_count]) == wanted):
            wrong = [
                text
                for text, is_so in (
                    ("not UNIQUE", not index.is_unique),
                    ("INVALID", not index.is_valid),
                    (f"WHERE {index.predicate}", index.predicate is not None),
                    ("DEFERRABLE", not index.is_immediate),
                    ("not PRIMARY KEY", unique.is_primary and not index.is_primary),
                    ("misnamed", unique.name is not None and unique.name not in (index.constraint_name, index.name)),
                )
                if is_so
            ]
            if not wrong:
                return
            near.append(f"index {quote(index.name)} {', '.join(wrong)}")
    name = f"CONSTRAINT {quote(unique.name)} " if unique.name else ""
    cannot = cannot_have(facts, table) if table is not None else ""
    yield finding(
        "unique-missing",
        f"{shown}({identifiers(unique.columns)})",
        f"{shown} has no valid {want}{cannot}",
        have="; ".join(near) or NOTHING,
        want=want,
        help_=f"ALTER TABLE {shown} ADD {name}{want};" if not cannot else "",
        location=contract.location(unique.line),
    )


def judge_index(
    reader: Reader, facts: Facts, contract: Contract, indexes: Mapping[int, Sequence[Index]], index: RequiredIndex
) -> Iterator[Finding]:
    """An index that is not there as required, and which ones come near."""
    shown, table = facts.full(index.table), facts.table(index.table)
    unique = "UNIQUE " if index.is_unique else ""
    tail = f" WHERE {index.where}" if index.where else ""
    want = f"{unique}INDEX ON {shown} USING {index.method} ({identifiers(index.columns)}){tail}"
    near: list[str] = []
    unread: Index | None = None
    if table is not None:
        names = {c.number: c.name for c in facts.columns_of(table.oid).values()}
        for have in indexes.get(table.oid, ()):
            same = tuple(names.get(n, "") for n in have.columns[: have.key_count]) == index.columns
            wrong = [
                text
                for text, is_so in (
                    ("INVALID", not have.is_valid),
                    ("not UNIQUE", index.is_unique and not have.is_unique),
                    ("UNIQUE", have.is_unique and not index.is_unique),
                    (have.method, have.method != index.method),
                    (
                        f"WHERE {have.predicate}" if have.predicate else "without WHERE",
                        (have.predicate is None) != (index.where is None)
                        or bool(
                            index.where
                            and have.predicate != UNREAD
                            and not _is_same(reader, facts, table, index.where, have.predicate)
                        ),
                    ),
                    (f"called {have.name}", index.name is not None and index.name != have.name),
                )
                if is_so
            ]
            if same and not wrong and have.predicate == UNREAD:
                unread = have
            elif same and not wrong:
                return
            elif same or have.name == index.name:
                columns = identifiers(names.get(n, "…") for n in have.columns[: have.key_count])
                near.append(f"{quote(have.name)} ({columns}) {', '.join(wrong)}".strip())
    if unread is not None:
        yield _locked(str(unread), f"the predicate of {unread}", want, contract.location(index.line))
        return
    name = f"{quote(index.name)} " if index.name else ""
    taken = next((i for i in indexes.get(table.oid, ()) if i.name == index.name), None) if table else None
    drop = f"DROP INDEX CONCURRENTLY {taken}; " if taken else ""
    is_kept = taken is not None and (taken.is_of_constraint or bool(taken.needed_by))
    yield finding(
        "required-index-missing",
        f"{shown}({identifiers(index.columns)})",
        f"{shown} has no such index",
        have="; ".join(near) or NOTHING,
        want=want,
        help_=""
        if is_kept
        else f"{drop}CREATE {unique}INDEX CONCURRENTLY {name}ON {shown}"
        f" USING {index.method} ({identifiers(index.columns)}){tail};",
        location=contract.location(index.line),
    )


def judge_check(
    reader: Reader,
    facts: Facts,
    contract: Contract,
    checks: Mapping[int, Sequence[CheckConstraint]],
    check: RequiredCheck,
) -> Iterator[Finding]:
    """A check constraint that is not there, says something else or was not validated."""
    shown, table, where = facts.full(check.table), facts.table(check.table), contract.location(check.line)
    name, want = quote(check.name), f"CHECK ({check.expression or '…'})"
    have = next((c for c in (checks.get(table.oid, ()) if table else ()) if c.name == check.name), None)
    is_same: bool | None = True
    if have is not None and table is not None and check.expression is not None:
        is_same = _is_same(reader, facts, table, check.expression, have.expression)
    if is_same is None:
        yield _unspelled(reader, facts, f"{shown} {name}", f"the check {name}", want, where)
    elif have is None or not is_same:
        drop = f"DROP CONSTRAINT {name}, " if have else ""
        yield finding(
            "check-missing",
            f"{shown} {name}",
            f"{shown} has no such check",
            have=f"CHECK ({have.expression})" if have else NOTHING,
            want=want,
            help_=f"ALTER TABLE {shown} {drop}ADD CONSTRAINT {name} {want};" if is_expression(check.expression) else "",
            location=where,
        )
    elif not (have.is_validated and have.is_enforced):
        state = "NOT VALID" if have.is_enforced else "NOT ENFORCED"
        again = f"CHECK ({check.expression or have.expression})"
        yield finding(
            "check-not-valid",
            f"{shown} {name}",
            f"{name} is {state}",
            have=f"CHECK ({have.expression}) {state}",
            want=want,
            help_=f"ALTER TABLE {shown} VALIDATE CONSTRAINT {name};"
            if have.is_enforced
            else f"ALTER TABLE {shown} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {again};",
            location=where,
        )
    elif table is not None:
        add = f"ADD CONSTRAINT {name} CHECK ({have.expression})"
        yield from unguarded(facts, table, f" {name}", f"the CHECK {name}", add, where)


def judge_supporting(
    facts: Facts, contract: Contract, indexes: Mapping[int, Sequence[Index]], key: RequiredKey
) -> Iterator[Finding]:
    """Tables and partitions where no index leads with the key's columns, so that a cascade reads everything."""
    table = facts.table(key.table)
    if table is None:
        return
    for store in facts.stores(table):
        if store.kind == "f":
            continue  # what its server does is not for this one to say
        columns = facts.columns_of(store.oid)
        if any(c not in columns for c in key.columns):
            continue
        wanted = {columns[c].number: columns[c] for c in key.columns}
        if not any(_serves(i, wanted) for i in indexes.get(store.oid, ())):
            name = f"ix_{store.name}_{'_'.join(key.columns)}"
            is_free = len(name.encode()) <= NAME_BYTES and name not in [i.name for i in indexes.get(store.oid, ())]
            called = f"{quote(name)} " if is_free else ""  # or PostgreSQL finds a name
            yield finding(
                "index-missing",
                f"{store}({identifiers(key.columns)})",
                f"no index leads with {identifiers(key.columns)}: each delete from {facts.full(key.to_table)} "
                f"reads all of {store}",
                have=NOTHING,
                want=f"INDEX ON {store} ({identifiers(key.columns)})",
                help_=f"CREATE INDEX CONCURRENTLY {called}ON {store} ({identifiers(key.columns)});",
                location=contract.location(key.line),
            )


def judge_all_indexes(facts: Facts, indexes: Sequence[Index]) -> Iterator[Finding]:
    """Indexes that cost writes and serve no query: those that are INVALID, and those that are there twice."""
    shown = {r.oid: str(r) for r in facts.relations}
    for index in indexes:
        if not index.is_valid:
            yield finding(
                "index-invalid",
                str(index),
                f"{index} on {shown[index.relation]} is INVALID",
                have="INVALID",
                want="a valid index",
                help_=f"REINDEX INDEX CONCURRENTLY {index};",
            )
    roots = {r.oid: r for r in facts.relations if r.oid == r.root}
    seen: dict[tuple[object, ...], Index] = {}
    for index in sorted(indexes, key=_first_to_keep):
        same = (
            index.relation,
            index.method,
            tuple(index.columns),
            index.key_count,
            tuple(index.collations),
            index.shape,
            index.predicate,
            index.is_immediate,
        )
        if index.relation not in roots or not index.is_valid or index.predicate == UNREAD:
            continue
        first = seen.setdefault(same, index)
        if first is not index:
            drop = (
                f"ALTER TABLE {shown[index.relation]} DROP CONSTRAINT {quote(index.constraint_name or index.name)};"
                if index.is_of_constraint
                else f"DROP INDEX {'' if roots[index.relation].kind == 'p' else 'CONCURRENTLY '}{index};"
            )
            yield finding(
                "index-duplicate",
                str(index),
                f"{index} is the same as {first}" + (f", but {index.needed_by} rests on it" if index.needed_by else ""),
                have=f"{quote(first.name)} and {quote(index.name)} on {shown[index.relation]}",
                want="one of them",
                help_="" if index.needed_by else drop,
            )


def _first_to_keep(index: Index) -> tuple[object, ...]:
    """Of several that are the same, the one that must stay comes first."""
    is_plain = not index.is_primary, not index.is_of_constraint, not index.is_unique
    return (*is_plain, not index.needed_by, index.name)


_NOT_NULL = re.compile(r'\(*\s*(?:"(?:[^"]|"")+"|\w+) IS NOT NULL\s*\)*', re.IGNORECASE)


def _serves(index: Index, wanted: Mapping[int, Column]) -> bool:
    """Whether a cascade can find its rows with this index."""
    leading = index.columns[: index.key_count][: len(wanted)]
    if not index.is_valid or index.method not in ("btree", "hash") or set(leading) != set(wanted):
        return False
    if any(
        c and wanted[n].collation and c != wanted[n].collation for n, c in zip(leading, index.collations, strict=False)
    ):
        return False
    if index.predicate is None or index.predicate == UNREAD:
        return True
    names = {quote(c.name) for c in wanted.values()}
    parts = re.split(r"\s+AND\s+", index.predicate)
    return all(_NOT_NULL.fullmatch(p) and p.strip("() ")[: -len(" IS NOT NULL")].strip("() ") in names for p in parts)

"""Read the tables that a contract names, and everything PostgreSQL keeps of them, as frozen values.

Hides the queries on pg_catalog and what differs between its versions, the one read-only snapshot they
share, the names that PostgreSQL resolves by the search_path, and which catalogs a role may not read.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from operator import attrgetter
from typing import TypeVar

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.catalog.keys import Column, Key, Relation, columns_of, definition, keys_on, relations_below
from wflo_schema.check.contract import Contract, Name, RequiredKey
from wflo_schema.check.rules import finding
from wflo_schema.connect import versions
from wflo_schema.connect.database import LOCK_TIMEOUT_MS, PATIENT
from wflo_schema.connect.queries import fetch, load_sql
from wflo_schema.findings import Finding
from wflo_schema.names import identifiers, listed_in_path, qualified, quote

# Catalogs without one of which nothing can be said at all.
BASE = ("pg_class", "pg_namespace", "pg_inherits", "pg_attribute", "pg_collation")
_Row = TypeVar("_Row")
_Group = TypeVar("_Group", bound=Hashable)

# Stands for the text of a predicate or default that was not read.
UNREAD = "?"


@dataclass(frozen=True, slots=True)
class Named:
    """A relation of a name that the contract gives; ``kind`` is relkind."""

    oid: int
    schema: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class KeyTrigger:
    """An internal trigger by which PostgreSQL enforces a foreign key.

    ``routine`` is the OID of the RI_FKey function, ``type`` tgtype, ``enabled`` tgenabled; ``is_altered`` says that it
    is not as PostgreSQL made it.
    """

    key: int
    relation: int
    name: str
    routine: int
    type: int
    enabled: str
    is_altered: bool

    @property
    def is_on(self) -> bool:
        """Whether it fires in an ordinary session, with session_replication_role = origin."""
        return self.enabled in ("O", "A")


@dataclass(frozen=True, slots=True)
class RowTrigger:
    """A user's trigger.  ``condition`` is its WHEN, None where it has none or it was not read."""

    oid: int
    relation: int
    name: str
    is_row: bool
    is_before: bool
    is_delete: bool
    is_update: bool
    update_of: list[str]
    arguments: list[str]
    has_condition: bool
    routine: str
    settings: list[str]
    language: str
    library: str
    source: str
    condition: str | None = None


@dataclass(frozen=True, slots=True)
class RewriteRule:
    """A rule that is in force on UPDATE (``event`` 2) or DELETE (4): INSTEAD, or one that changes rows as well."""

    relation: int
    name: str
    event: str
    is_instead: bool


@dataclass(frozen=True, slots=True)
class RoleSetting:
    """A default for session_replication_role that sessions get as they log in; ``role`` is None for all roles."""

    role: str | None
    is_for_database: bool
    value: str
    can_login: bool
    can_write: bool


@dataclass(frozen=True, slots=True)
class Index:
    """An index.  ``columns`` are attnums, of which ``key_count`` are of the key and the rest is INCLUDEd.

    ``predicate`` is None for an index of all rows and ``UNREAD`` where it was not read.
    """

    relation: int
    oid: int
    schema: str
    name: str
    method: str
    is_unique: bool
    is_primary: bool
    is_immediate: bool
    is_valid: bool
    key_count: int
    columns: list[int]
    collations: list[int]
    shape: str
    predicate: str | None
    is_of_constraint: bool
    needed_by: str
    constraint_name: str | None

    def __str__(self) -> str:
        return qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class CheckConstraint:
    """A CHECK constraint; ``expression`` is the text between its parentheses."""

    relation: int
    name: str
    expression: str
    is_validated: bool
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class Refusing:
    """A column, or a CHECK constraint, by which a table may refuse what a key sets.

    A CHECK that is not ``is_validated`` may not hold for rows that were there before it.
    ``kind``: check, generated, default, or domain, of which each ``expression`` says what VALUE must be.
    """

    relation: int
    kind: str
    name: str
    expression: str
    is_validated: bool


@dataclass(frozen=True, slots=True)
class ForeignTable:
    """Where the rows of a foreign table are.  ``waits`` says that its server's options bound no wait for it."""

    relation: int
    server: str
    wrapper: str
    remote_schema: str
    remote_name: str
    waits: bool


@dataclass(frozen=True, slots=True)
class SessionFacts:
    """Who reads, where, and which catalogs are ``hidden`` from that role; ``version`` is server_version_num."""

    role: str
    database: str
    version: int
    replication_role: str
    has_citus: bool
    hidden: list[str]


@dataclass(frozen=True)
class Facts:
    """Everything that was read about the contract's tables.  None means that it may not be read.

    What is asked for table by table, or key by key, is sorted by it once: a contract may name thousands.
    """

    schema: str
    has_schema: bool = True
    named: tuple[Named, ...] = ()
    relations: tuple[Relation, ...] = ()
    columns: tuple[Column, ...] = ()
    keys: tuple[Key, ...] | None = None
    key_triggers: tuple[KeyTrigger, ...] | None = None
    odd_keys: frozenset[int] | None = None
    """Those that compare by something other than equality."""
    row_triggers: tuple[RowTrigger, ...] | None = None
    rules: tuple[RewriteRule, ...] | None = None
    settings: tuple[RoleSetting, ...] | None = None
    namesakes: tuple[tuple[str, str, str], ...] = ()
    taken: frozenset[tuple[int, str]] = frozenset()
    """Table and name of each constraint of any kind that bears a name the contract gives to a key."""
    server_version: int = 0
    partition_keys: tuple[tuple[int, str], ...] = ()
    """Relation and column by which it is partitioned; an empty one stands for an expression over any."""
    refusing: tuple[Refusing, ...] | None = ()
    """What may refuse the values that keys of these tables set; None where it was not read."""
    is_escaping: bool = False
    """Whether a backslash in a text may be an escape: sessions may start with standard_conforming_strings = off."""
    foreign: tuple[ForeignTable, ...] = ()
    """Of the relations, those that are foreign tables."""
    weak_not_nulls: Mapping[tuple[int, int], str] = field(default_factory=dict)
    """Of the columns that are NOT NULL, those that hold NULLs all the same: see `read_weak_not_nulls`."""

    @property
    def is_everything_read(self) -> bool:
        """Whether no catalog that bears on a foreign key was hidden."""
        return None not in (self.keys, self.key_triggers, self.odd_keys, self.row_triggers, self.rules, self.settings)

    @property
    def everywhere(self) -> list[int]:
        """All relations, once: the tables, their partitions and the tables that inherit from them."""
        return sorted({r.oid for r in self.relations})

    def full(self, name: Name) -> str:
        """The qualified name; what the contract does not qualify is in its schema."""
        return qualified(name.schema or self.schema, name.name)

    def wanted(self, key: RequiredKey) -> str:
        """The required key, spelled like the keys that are there."""
        return definition(
            self.full(key.table),
            key.columns,
            self.full(key.to_table),
            key.to_columns,
            key.on_delete,
            key.set_columns,
            key.on_update,
            key.match,
            key.deferrable,
            key.period,
        )

    def label(self, key: RequiredKey) -> str:
        """What a finding calls the key: its name, or its columns where it may have any."""
        shown = self.full(key.table)
        return f"{shown} {quote(key.name)}" if key.name else f"{shown}({identifiers(key.columns)})"

    def find(self, name: Name) -> Named | None:
        """Whatever relation has that name, be it a table or not."""
        return self._named.get((name.schema or self.schema, name.name))

    def table(self, name: Name) -> Relation | None:
        """The ordinary or partitioned table of that name."""
        found = self.find(name)
        if found is None or found.kind not in ("r", "p"):
            return None
        return next((r for r in self._trees.get(found.oid, ()) if r.oid == found.oid), None)

    def tree(self, root: Relation) -> Sequence[Relation]:
        """The table, its partitions and what inherits from it, at every depth."""
        return self._trees.get(root.oid, ())

    def stores(self, root: Relation) -> tuple[Relation, ...]:
        """Where the rows are: the table itself, or its partitions at the bottom of the tree."""
        if root.kind != "p":
            return (root,)
        return tuple(r for r in self.tree(root) if r.kind != "p" and r.is_partition)

    def foreign_below(self, root: Relation) -> tuple[tuple[Relation, ForeignTable], ...]:
        """The foreign tables whose rows show in the table: partitions, and such as inherit from it."""
        known = {f.relation: f for f in self.foreign}
        return tuple((r, known[r.oid]) for r in self.tree(root) if r.oid in known) if known else ()

    def partitions(self, root: Relation) -> frozenset[int]:
        """All of them, at every depth."""
        return frozenset(r.oid for r in self.tree(root) if r.is_partition)

    def routes(self, root: Relation) -> tuple[Relation, ...]:
        """Partitioned tables of the tree whose triggers fire where an UPDATE moves a row to another partition."""
        if not versions.TRIGGERS_OF_PARTITIONED.is_in(self.server_version):
            return ()
        return tuple(r for r in self.tree(root) if r.kind == "p" and (r.oid == root.oid or r.is_partition))

    def moves(self, root: Relation, columns: Collection[str]) -> bool:
        """Whether an UPDATE of these columns may move a row to another partition: by a DELETE and an INSERT."""
        inside = {r.oid for r in self.tree(root)} if root.kind == "p" else set()
        return any(relation in inside and (not name or name in columns) for relation, name in self.partition_keys)

    def children(self, root: Relation) -> tuple[Relation, ...]:
        """Tables that inherit and are not partitions; another session's temporary ones show their rows only there."""
        return tuple(r for r in self.tree(root) if r.oid != root.oid and not r.is_partition and r.persistence != "t")

    def above(self, relation: Relation) -> tuple[Relation, ...]:
        """The relation and those in whose tree it stands: a statement on one of them reaches its rows."""
        roots = {r.root for r in self.relations if r.oid == relation.oid}
        return tuple(
            r for root in roots for r in self._trees[root] if r.oid == relation.oid or r.kind == "p" or r.oid == root
        )

    def columns_of(self, relation: int) -> Mapping[str, Column]:
        """The relation's columns by name."""
        return self._columns.get(relation, {})

    def never_null(self, relation: int) -> frozenset[str]:
        """The columns in which no row of the relation, old or new, can hold a NULL."""
        columns = (c for c in self.columns_of(relation).values() if not c.is_nullable)
        return frozenset(c.name for c in columns if (relation, c.number) not in self.weak_not_nulls)

    def keys_on(self, relation: int) -> tuple[Key, ...]:
        """Keys of one table, without the copies that a partitioned *referenced* table brings along."""
        return self.keys_within({relation})

    def keys_within(self, relations: Collection[int]) -> tuple[Key, ...]:
        """The same for several tables."""
        return tuple(k for relation in sorted(relations) for k in self._keys.get(relation, ()))

    def keys_like(self, pairs: Counter[tuple[str, str]], table: Relation, target: Relation) -> tuple[Key, ...]:
        """Keys of the table to the target in which these columns reference those."""
        return tuple(k for k in self.keys_on(table.oid) if k.to_relation == target.oid and k.pairs == pairs)

    def family(self, key: Key) -> Sequence[Key]:
        """The key and its copies: those of partitions, and those for partitions that it references."""
        return self._families[key.top]

    def triggers_of(self, key: Key, relation: int, routine: int, kind: int) -> Sequence[KeyTrigger]:
        """The internal triggers of the key and its copies on one relation, as PostgreSQL made them."""
        return self._triggers.get((key.top, relation, routine, kind), ())

    def triggers_by(self, key: Key) -> Sequence[KeyTrigger]:
        """All internal triggers of the key itself, without those of its copies."""
        return self._triggers_by_key.get(key.oid, ())

    def rules_on(self, relation: int) -> Sequence[RewriteRule]:
        """The relation's rules on UPDATE and DELETE that change what these do."""
        return self._rules.get(relation, ())

    def row_triggers_on(self, relation: int) -> Sequence[RowTrigger]:
        """The relation's triggers that users made."""
        return self._row_triggers.get(relation, ())

    @cached_property
    def _named(self) -> dict[tuple[str, str], Named]:
        return {(n.schema, n.name): n for n in self.named}

    @cached_property
    def _trees(self) -> dict[int, list[Relation]]:
        return _grouped(self.relations, attrgetter("root"))

    @cached_property
    def _columns(self) -> dict[int, dict[str, Column]]:
        return {n: {c.name: c for c in its} for n, its in by_relation(self.columns).items()}

    @cached_property
    def _keys(self) -> dict[int, list[Key]]:
        placed = {k.oid: k.relation for k in self.keys or ()}
        return by_relation(k for k in self.keys or () if placed.get(k.parent) != k.relation)

    @cached_property
    def _families(self) -> dict[int, list[Key]]:
        return _grouped(self.keys or (), attrgetter("top"))

    @cached_property
    def _triggers(self) -> dict[tuple[int, int, int, int], list[KeyTrigger]]:
        tops = {k.oid: k.top for k in self.keys or ()}
        unaltered = (t for t in self.key_triggers or () if not t.is_altered)
        return _grouped(unaltered, lambda t: (tops[t.key], t.relation, t.routine, t.type))

    @cached_property
    def _triggers_by_key(self) -> dict[int, list[KeyTrigger]]:
        return _grouped(self.key_triggers or (), attrgetter("key"))

    def refusing_on(self, relation: int) -> Sequence[Refusing]:
        """What may refuse the values that the relation's keys set."""
        return self._refusing.get(relation, ())

    def checks_on(self, relation: int) -> frozenset[str] | None:
        """The CHECKs that each row of the relation has passed; None where they were not read."""
        its = frozenset(r.expression for r in self.refusing_on(relation) if r.kind == "check" and r.is_validated)
        return None if self.refusing is None else its

    @cached_property
    def _refusing(self) -> dict[int, list[Refusing]]:
        return by_relation(self.refusing or ())

    @cached_property
    def _rules(self) -> dict[int, list[RewriteRule]]:
        return by_relation(self.rules or ())

    @cached_property
    def _row_triggers(self) -> dict[int, list[RowTrigger]]:
        return by_relation(self.row_triggers or ())


def by_relation(rows: Iterable[_Row]) -> dict[int, list[_Row]]:
    """The rows of each relation, in their order."""
    return _grouped(rows, attrgetter("relation"))


def _grouped(rows: Iterable[_Row], by: Callable[[_Row], _Group]) -> dict[_Group, list[_Row]]:
    groups: dict[_Group, list[_Row]] = {}
    for row in rows:
        groups.setdefault(by(row), []).append(row)
    return groups


@dataclass(slots=True)
class Reader:
    """One connection in one snapshot.  What may not be read is asked for once and remembered."""

    connection: psycopg.Connection[TupleRow]
    session: SessionFacts
    search_path: str
    """The one that the role has by default; in the snapshot it is another."""
    path: tuple[str, ...] = ()
    """Its schemas that are there and that the role may use, without those of the system."""
    is_escaping: bool = False
    """Whether the session began with standard_conforming_strings = off."""
    unread: list[str] = field(default_factory=list)
    indexes: tuple[Index, ...] | None = None

    def can(self, *catalogs: str) -> bool:
        """Whether the role may read all of these catalogs; those that it may not are noted as ``unread``."""
        missing = [c for c in catalogs if c in self.session.hidden]
        self.unread += [c for c in missing if c not in self.unread]
        return not missing

    def rows(self, kind: type[_Row], query: str, parameters: Mapping[str, object]) -> tuple[_Row, ...]:
        """Run a query of ``check/sql/`` within the snapshot; each row becomes a ``kind``."""
        return fetch(self.connection, kind, "check", query, parameters)

    def spelled(self, query: str, **parameters: Sequence[int]) -> list[TupleRow] | None:
        """Ask for expressions, which locks their tables to spell them out; None where a colleague holds a lock."""
        try:
            with self.connection.transaction():
                return self.connection.execute(load_sql("check", query, self.session.version), parameters).fetchall()
        except psycopg.errors.LockNotAvailable:
            return None


def begin_reading(connection: psycopg.Connection[TupleRow]) -> Reader:
    """Open the snapshot, read-only and with limits of its own."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    row = connection.execute(
        "SELECT pg_catalog.current_setting('search_path'), pg_catalog.current_schemas(false)::text[],"
        " pg_catalog.current_setting('standard_conforming_strings'),"
        " pg_catalog.set_config('standard_conforming_strings', 'on', true),"
        " pg_catalog.set_config('search_path', 'pg_catalog', true),"
        " pg_catalog.set_config('quote_all_identifiers', 'off', true),"
        f" pg_catalog.set_config('lock_timeout', '{LOCK_TIMEOUT_MS}', true),"
        f" pg_catalog.set_config('statement_timeout', '{PATIENT['statement_timeout']}', true),"
        " pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true),"
        " pg_catalog.set_config('jit', 'off', true)"
        + (
            ", pg_catalog.set_config('transaction_timeout', '0', true)"
            if versions.TRANSACTION_TIMEOUT.is_in(connection.info.server_version)
            else ""
        )
    ).fetchone()
    (session,) = fetch(connection, SessionFacts, "check", "session", {})
    if row is None:
        raise AssertionError("a SELECT without FROM returns one row")
    return Reader(connection, session, str(row[0]), _own(row[1]), is_escaping=row[2] != "on")


def _own(path: Iterable[str]) -> tuple[str, ...]:
    return tuple(n for n in path if n not in ("pg_catalog", "information_schema") and not n.startswith("pg_temp"))


def usable_path(connection: psycopg.Connection[TupleRow]) -> tuple[str, ...]:
    """The schemas of the search_path that are there and that the role may use, without those of the system."""
    row = connection.execute("SELECT pg_catalog.current_schemas(false)::text[]").fetchone()
    return _own(row[0] if row else ())


def path_schemas(reader: Reader) -> tuple[str, ...]:
    """The search_path as PostgreSQL takes it, then its schemas that this role may not use, then public."""
    named = listed_in_path(reader.search_path, user=reader.session.role)
    return tuple(dict.fromkeys((*reader.path, *(n for n in named if not n.startswith("pg_temp")), "public")))


def namesakes(reader: Reader, contract: Contract, facts: Facts) -> dict[str, list[str]]:
    """By schema: the contract's tables that are in another schema of the search_path than the one judged, as well."""
    path = {*reader.path, *listed_in_path(reader.search_path, user=reader.session.role)}
    wanted = {n.name for n in contract.names if n.schema is None}
    found: dict[str, list[str]] = {}
    for one in facts.named:
        if one.name in wanted and one.schema in path and one.schema != facts.schema and one.kind in "rp":
            found.setdefault(one.schema, []).append(one.name)
    return found


def _choose_schema(reader: Reader, contract: Contract, named: Sequence[Named]) -> str:
    """The first schema of the search_path with one of the tables."""
    wanted = {n.name for n in contract.names if n.schema is None}
    for schema in path_schemas(reader):
        if any(n.schema == schema and n.name in wanted for n in named):
            return schema
    return "public"


def read_facts(reader: Reader, contract: Contract, *, schema: str | None, deep: bool) -> Facts:
    """Read what the contract's tables are; ``deep`` adds all that can keep their keys from being enforced.

    Names without a schema are looked for in ``schema`` or, where that is None, along the search_path.
    """
    schema = contract.schema or schema
    if not reader.can(*BASE):
        return Facts(schema or "public")
    named = reader.rows(Named, "names", {"names": sorted({n.name for n in contract.names})})
    schema = schema or _choose_schema(reader, contract, named)
    has_schema = reader.connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)", (schema,)
    ).fetchone() == (True,)
    look_in(reader, schema)
    wanted = {(n.schema or schema, n.name) for n in contract.names}
    roots = [n.oid for n in named if (n.schema, n.name) in wanted]
    relations = relations_below(reader.connection, roots)
    everywhere = sorted({r.oid for r in relations})
    can_read_keys = reader.can("pg_constraint", "pg_operator")
    facts = Facts(
        schema,
        has_schema,
        named,
        relations,
        keys=keys_on(reader.connection, everywhere) if can_read_keys else None,
        columns=_with_defaults(reader, contract, columns_of(reader.connection, everywhere)),
        foreign=_foreign_tables(reader, [r.oid for r in relations if r.kind == "f"]),
        server_version=reader.session.version,
    )
    return _with_what_defeats_keys(reader, contract, facts, roots) if deep else facts


def _foreign_tables(reader: Reader, relations: Sequence[int]) -> tuple[ForeignTable, ...]:
    """Asked only where there are any."""
    if not relations or not reader.can("pg_foreign_table", "pg_foreign_server", "pg_foreign_data_wrapper"):
        return ()
    return reader.rows(ForeignTable, "foreign_tables", {"relations": relations})


def _with_what_defeats_keys(reader: Reader, contract: Contract, facts: Facts, roots: Sequence[int]) -> Facts:
    everywhere = facts.everywhere
    with_keys = sorted({k.relation for k in facts.keys or ()}.union(everywhere))
    can_read_triggers = reader.can("pg_trigger", "pg_proc", "pg_language")
    facts = replace(
        facts,
        row_triggers=_row_triggers(reader, everywhere) if can_read_triggers else None,
        rules=reader.rows(RewriteRule, "rules", {"relations": with_keys}) if reader.can("pg_rewrite") else None,
        settings=reader.rows(RoleSetting, "settings", {"relations": everywhere})
        if reader.can("pg_db_role_setting", "pg_roles", "pg_database")
        else None,
        partition_keys=_partition_keys(reader, everywhere),
        is_escaping=_is_escaping(reader),
        weak_not_nulls=read_weak_not_nulls(reader, everywhere),
    )
    if facts.keys is None:
        return facts
    names = [k.name for k in contract.foreign_keys if k.name]
    there = {k.name for k in facts.keys}
    missing = [n for n in names if n not in there]
    run = reader.connection.execute
    namesakes = run(load_sql("check", "namesakes"), {"names": missing}).fetchall() if missing else ()
    taken = run(load_sql("check", "taken_names"), {"relations": roots, "names": names}).fetchall()
    return replace(
        facts,
        key_triggers=reader.rows(KeyTrigger, "key_triggers", {"keys": [k.oid for k in facts.keys]})
        if can_read_triggers
        else None,
        odd_keys=_odd_keys(reader, [k.oid for k in facts.keys])
        if reader.can("pg_index", "pg_opclass", "pg_amop")
        else None,
        namesakes=tuple((str(r[0]), str(r[1]), str(r[2])) for r in namesakes),
        taken=frozenset((int(r[0]), str(r[1])) for r in taken),
        refusing=_refusing(
            reader,
            [
                *(k.relation for k in facts.keys if {k.on_delete, k.on_update} & {"n", "d"}),
                *(t.relation for t in facts.row_triggers or () if t.is_before),
            ],
        ),
    )


def _refusing(reader: Reader, relations: Sequence[int]) -> tuple[Refusing, ...] | None:
    """Asked only where a key sets something, or a trigger may stop it."""
    if not relations or not reader.can("pg_attrdef", "pg_type"):
        return ()
    rows = reader.spelled("refusing", relations=relations)
    return None if rows is None else tuple(Refusing(*row) for row in rows)


def _partition_keys(reader: Reader, relations: Sequence[int]) -> tuple[tuple[int, str], ...]:
    if not reader.can("pg_partitioned_table"):
        return tuple((relation, "") for relation in relations)
    rows = reader.connection.execute(load_sql("check", "partition_keys"), {"relations": relations}).fetchall()
    return tuple((int(r[0]), str(r[1])) for r in rows)


def _is_escaping(reader: Reader) -> bool:
    if reader.is_escaping or not reader.can("pg_db_role_setting", "pg_database"):
        return True
    return reader.connection.execute(load_sql("check", "escaping")).fetchone() == (True,)


def _odd_keys(reader: Reader, keys: Sequence[int]) -> frozenset[int]:
    rows = reader.connection.execute(load_sql("check", "key_operators"), {"keys": keys}).fetchall()
    return frozenset(int(r[0]) for r in rows)


def _row_triggers(reader: Reader, relations: Sequence[int]) -> tuple[RowTrigger, ...]:
    """With what their WHEN says, where no colleague holds the table's lock."""
    triggers = reader.rows(RowTrigger, "row_triggers", {"relations": relations})
    asked = [t.oid for t in triggers if t.has_condition]
    rows = (reader.spelled("trigger_conditions", triggers=asked) if asked else None) or ()
    conditions = {int(r[0]): _condition(str(r[1])) for r in rows}
    return tuple(replace(t, condition=conditions.get(t.oid)) for t in triggers)


def _condition(definition: str) -> str | None:
    """What stands in WHEN, None where that cannot be told from names."""
    parts = re.split(r" FOR EACH (?:ROW|STATEMENT) WHEN \(", definition)
    end = parts[-1].rfind(") EXECUTE FUNCTION ")
    return parts[-1][:end] if len(parts) == 2 and end >= 0 else None


def _with_defaults(reader: Reader, contract: Contract, columns: tuple[Column, ...]) -> tuple[Column, ...]:
    """Add the defaults that the contract asks for.  Only then: pg_get_expr waits for whoever alters the table."""
    wanted = {c.name for c in contract.columns if c.default is not None}
    asked = sorted({c.relation for c in columns if c.name in wanted})
    if not asked:
        return columns
    texts = read_defaults(reader, asked)
    return tuple(
        replace(c, default=UNREAD if texts is None else texts.get((c.relation, c.number))) if c.name in wanted else c
        for c in columns
    )


def unseen(reader: Reader) -> Iterator[Finding]:
    """One finding for each catalog that was asked for and may not be read."""
    role = quote(reader.session.role)
    for catalog in reader.unread:
        yield finding(
            "cannot-see",
            f"pg_catalog.{catalog}",
            f"{reader.session.role} may not read pg_catalog.{catalog}",
            have=f"no SELECT on pg_catalog.{catalog}",
            want="SELECT, as PostgreSQL grants it to all",
            help_=f"GRANT SELECT ON pg_catalog.{catalog} TO {role};",
        )


def can_read_not_nulls(reader: Reader) -> bool:
    """Whether a NOT NULL is known to hold: pg_attribute does not tell of those that are NOT VALID."""
    return not versions.NOT_NULL_CONSTRAINTS.is_in(reader.session.version) or reader.can("pg_constraint")


def read_checks(reader: Reader, relations: Sequence[int]) -> tuple[CheckConstraint, ...]:
    """Read the CHECK constraints of these relations."""
    return reader.rows(CheckConstraint, "checks", {"relations": relations})


def read_weak_not_nulls(reader: Reader, relations: Sequence[int]) -> dict[tuple[int, int], str]:
    """``{(relation, column number): constraint}`` of NOT NULL constraints that are NOT VALID."""
    if not versions.NOT_NULL_CONSTRAINTS.is_in(reader.session.version) or "pg_constraint" in reader.session.hidden:
        return {}
    rows = reader.connection.execute(load_sql("check", "not_nulls"), {"relations": relations}).fetchall()
    return {(int(r[0]), int(r[1])): str(r[2]) for r in rows}


def read_indexes(reader: Reader, relations: Sequence[int]) -> tuple[Index, ...]:
    """Read the indexes, once.  Where a colleague holds a table's lock, a predicate there stays unread."""
    if reader.indexes is None:
        reader.indexes = _indexes_of(reader, relations)
    return reader.indexes


def _indexes_of(reader: Reader, relations: Sequence[int]) -> tuple[Index, ...]:
    indexes = reader.rows(Index, "indexes", {"relations": relations})
    partial = [i.oid for i in indexes if i.predicate is not None]
    rows = (reader.spelled("predicates", indexes=partial) if partial else None) or ()
    texts = {int(r[0]): str(r[1]) for r in rows}
    return tuple(replace(i, predicate=texts.get(i.oid, i.predicate)) for i in indexes)


def look_in(reader: Reader, schema: str) -> None:
    """Have names in expressions spelled as they are with this schema as the search_path."""
    reader.connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (quote(schema),))


def read_defaults(reader: Reader, relations: Sequence[int]) -> dict[tuple[int, int], str] | None:
    """``{(relation, column number): default}``, None where they cannot be read."""
    rows = reader.spelled("defaults", relations=relations) if reader.can("pg_attrdef") else None
    return None if rows is None else {(int(r[0]), int(r[1])): str(r[2]) for r in rows}

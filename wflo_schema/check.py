"""Say whether PostgreSQL will in fact keep what a contract requires, and otherwise what to type.

Hides how PostgreSQL enforces a foreign key (pg_constraint, the internal triggers on both sides and
on every partition, what can defeat them), which of its catalogs may be hidden from a role, the
anti-joins that find orphan rows, and the comparison with replayed migrations.  Reads only.
"""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeVar, cast

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow, class_row

from wflo_schema.contract import (
    DEFERRABLE,
    DEFERRED,
    NAME_BYTES,
    NOT_DEFERRABLE,
    Contract,
    Name,
    RequiredCheck,
    RequiredColumn,
    RequiredIndex,
    RequiredKey,
    RequiredTable,
    RequiredUnique,
    identifier,
    render,
)
from wflo_schema.database import Database, database_error, load_sql
from wflo_schema.errors import CannotRead, Refused, UsageError
from wflo_schema.findings import Finding, Location, Severity

if TYPE_CHECKING:
    from wflo_schema.catalog import Catalog
    from wflo_schema.migration import Migrations

SECTIONS = ("contract", "ledger", "rows", "drift", "indexes")
DEFAULT_SECTIONS = ("contract", "ledger", "indexes")
NOTHING = "NOTHING"

ROWS_TIMEOUT_S = 60.0
# Seconds for the orphan rows of all keys together; long enough for millions of rows on a laptop.
_LOCK_TIMEOUT_MS = 3000
# Milliseconds: a colleague's ALTER TABLE must not make a check hang, nor those who queue behind it.
_STATEMENT_TIMEOUT_MS = 120_000
# Milliseconds for one query on the catalogs, whatever the role's own limit says.


@dataclass(frozen=True, slots=True)
class Rule:
    """One thing that can be wrong.  Help, README and JSON are made from these records."""

    code: str
    section: str
    severity: Severity
    title: str
    means: str
    mend: str


_E, _W, _U = Severity.ERROR, Severity.WARNING, Severity.UNKNOWN

RULES: tuple[Rule, ...] = (
    Rule(
        "schema-missing",
        "contract",
        _E,
        "the schema is not there",
        "No schema has the name that the contract or --schema gives.",
        "correct the name, or migrate",
    ),
    Rule(
        "table-missing",
        "contract",
        _E,
        "a table is not there",
        "The schema has no relation of that name; one in another schema or in other letters does not count.",
        "migrate, or correct the contract's spelling",
    ),
    Rule(
        "table-wrong-kind",
        "contract",
        _E,
        "something else bears the table's name",
        "A view, materialized view, foreign table or sequence stands where a table must: it can hold no foreign key.",
        "rename it and put the table in its place",
    ),
    Rule(
        "table-unlogged",
        "contract",
        _W,
        "a table is emptied by a crash",
        "An UNLOGGED table loses its rows when the server crashes, and is empty on standbys.",
        "ALTER TABLE … SET LOGGED",
    ),
    Rule(
        "table-subscribed",
        "contract",
        _W,
        "rows arrive by logical replication",
        "A subscription writes them in replica mode, in which foreign keys are not checked.",
        "wflo-schema check --only rows, now and then",
    ),
    Rule(
        "column-missing",
        "contract",
        _E,
        "a column is not there",
        "The table has no column of that name; a renamed column took its foreign key along.",
        "rename it back, or correct the contract",
    ),
    Rule(
        "column-wrong",
        "contract",
        _E,
        "a column is of another type, nullability or default",
        "A [columns] entry of the contract does not hold.",
        "ALTER TABLE … ALTER COLUMN …",
    ),
    Rule(
        "key-missing",
        "contract",
        _E,
        "a foreign key is not there",
        "No foreign key of this table has these columns; any row may point nowhere.",
        "ALTER TABLE … ADD CONSTRAINT … NOT VALID, then VALIDATE CONSTRAINT",
    ),
    Rule(
        "key-wrong-columns",
        "contract",
        _E,
        "the key of that name is on other columns",
        "A foreign key bears the contract's name but not its columns, or pairs them otherwise.",
        "drop it and add the right one",
    ),
    Rule(
        "key-wrong-target",
        "contract",
        _E,
        "the key references something else",
        "The columns are right, but they reference another table, a namesake in another schema, or other columns.",
        "drop it and add the right one",
    ),
    Rule(
        "key-wrong-name",
        "contract",
        _E,
        "the key has another name",
        "A migration that drops or validates it by the contract's name would fail.",
        "ALTER TABLE … RENAME CONSTRAINT",
    ),
    Rule(
        "key-wrong-on-delete",
        "contract",
        _E,
        "the key does something else on DELETE",
        "Deleting a referenced row refuses, cascades or sets null where the contract says otherwise.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-on-update",
        "contract",
        _E,
        "the key does something else on UPDATE",
        "Changing a referenced value refuses, cascades or sets null where the contract says otherwise.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-match",
        "contract",
        _E,
        "the key matches NULLs in another way",
        "MATCH FULL and MATCH SIMPLE differ in which rows with NULL they accept.",
        "drop it and add the right one in one ALTER TABLE",
    ),
    Rule(
        "key-wrong-deferrability",
        "contract",
        _E,
        "the key is checked at another moment",
        "A deferrable key can be violated until the transaction commits.",
        "ALTER TABLE … ALTER CONSTRAINT",
    ),
    Rule(
        "key-wrong-kind",
        "contract",
        _E,
        "a PERIOD key stands for a plain one, or the reverse",
        "A PERIOD key compares ranges, not equality.",
        "drop it and add the right one",
    ),
    Rule(
        "key-not-valid",
        "contract",
        _E,
        "the key is NOT VALID",
        "New rows are checked, those that were there before never were.",
        "ALTER TABLE … VALIDATE CONSTRAINT",
    ),
    Rule(
        "key-not-enforced",
        "contract",
        _E,
        "the key is NOT ENFORCED",
        "PostgreSQL 18 records the key and checks nothing.",
        "ALTER TABLE … ALTER CONSTRAINT … ENFORCED",
    ),
    Rule(
        "key-trigger-missing",
        "contract",
        _E,
        "an internal trigger of the key is gone",
        "The key is recorded, but the trigger that enforces it on one side (or on a partition) does not exist.",
        "drop the key and add it again",
    ),
    Rule(
        "key-trigger-disabled",
        "contract",
        _E,
        "an internal trigger of the key is switched off",
        "The key is recorded and valid, but ordinary sessions write past it on one side (or on a partition).",
        "ALTER TABLE … ENABLE TRIGGER, then check --only rows",
    ),
    Rule(
        "key-not-inherited",
        "contract",
        _E,
        "rows of an inheritance child escape the key",
        "SELECT on the table shows its children's rows as well, and foreign keys are not inherited.",
        "add an equal foreign key to the child",
    ),
    Rule(
        "key-collation",
        "contract",
        _E,
        "the key's two columns disagree on which texts are equal",
        "With a nondeterministic collation on one side only, checks and cascades follow different equalities.",
        "give both columns the same collation",
    ),
    Rule(
        "key-action-defeated",
        "contract",
        _E,
        "another foreign key acts first",
        "A second key on the same column fires before this one (triggers fire in the order of their names), "
        "so deletes are refused or rows survive.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-action-fragile",
        "contract",
        _W,
        "another foreign key acts after this one",
        "A second key on the same column wants something else and only happens to be younger; a dump and "
        "restore may turn the order round.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-duplicate",
        "contract",
        _W,
        "the same foreign key is there twice",
        "Every write is checked twice for nothing.",
        "ALTER TABLE … DROP CONSTRAINT the other one",
    ),
    Rule(
        "key-stopped-by-trigger",
        "contract",
        _E,
        "a row trigger cancels the key's action",
        "A BEFORE trigger returns NULL (RETURN NEW is NULL in a DELETE trigger), which silently leaves orphan rows.",
        "make the trigger return OLD, or drop it",
    ),
    Rule(
        "key-maybe-stopped",
        "contract",
        _W,
        "a row trigger may cancel the key's action",
        "A BEFORE trigger can cancel the key's DELETE or UPDATE by returning NULL; what it returns cannot be known.",
        "see to it that it never returns NULL",
    ),
    Rule(
        "key-stopped-by-rule",
        "contract",
        _E,
        "a rule replaces the key's action",
        "An INSTEAD rule rewrites the key's DELETE or UPDATE: it fails, or silently leaves orphan rows.",
        "DROP RULE … ON …",
    ),
    Rule(
        "key-owner-lacks-privilege",
        "contract",
        _E,
        "the key's own queries are not permitted",
        "PostgreSQL checks and cascades as the tables' owners; one of them lacks the privilege, so writes fail.",
        "GRANT … TO the owner",
    ),
    Rule(
        "replication-role",
        "contract",
        _E,
        "sessions start with triggers off",
        "session_replication_role = replica is the default of this server, database or of a role that writes here: "
        "no foreign key is enforced in such sessions, though every catalog looks right.",
        "ALTER DATABASE … RESET session_replication_role",
    ),
    Rule(
        "unique-missing",
        "contract",
        _E,
        "a unique constraint is not there",
        "No valid, complete unique constraint or index has exactly these columns.",
        "ALTER TABLE … ADD UNIQUE",
    ),
    Rule(
        "check-missing",
        "contract",
        _E,
        "a check constraint is not there, or says something else",
        "The table has no check of that name and expression.",
        "ALTER TABLE … ADD CONSTRAINT … CHECK",
    ),
    Rule(
        "check-not-valid",
        "contract",
        _E,
        "a check constraint is not validated or not enforced",
        "Old rows were never looked at, or new ones are not.",
        "ALTER TABLE … VALIDATE CONSTRAINT",
    ),
    Rule(
        "required-index-missing",
        "contract",
        _E,
        "an index that the contract requires is not there",
        "No valid index has these columns in this order with this method, uniqueness and predicate.",
        "CREATE INDEX",
    ),
    Rule(
        "cannot-see",
        "contract",
        _U,
        "a catalog may not be read",
        "SELECT on a system catalog was revoked from this role, or another session's lock is in the way; "
        "what rests on it is neither yes nor no.",
        "GRANT SELECT ON pg_catalog.… TO the role",
    ),
    Rule(
        "ledger-pending",
        "ledger",
        _E,
        "a migration is not applied",
        "Its file is there, the ledger has no record of it.",
        "wflo-schema migrate",
    ),
    Rule(
        "ledger-changed",
        "ledger",
        _E,
        "an applied migration was edited",
        "The file is not what was applied; another database gets something else.",
        "restore the file and put the change into a new migration",
    ),
    Rule(
        "ledger-missing",
        "ledger",
        _E,
        "an applied migration has no file",
        "The ledger records what nobody can read.",
        "restore the file",
    ),
    Rule(
        "ledger-unknown",
        "ledger",
        _E,
        "the database is ahead of the files",
        "The ledger records migrations newer than every file here.",
        "update the checkout",
    ),
    Rule(
        "ledger-unreadable",
        "ledger",
        _U,
        "the ledger may not be read",
        "Whether everything is applied cannot be told.",
        "GRANT SELECT on the ledger's tables",
    ),
    Rule(
        "orphan-rows",
        "rows",
        _E,
        "rows point nowhere",
        "They came in while the key was absent or its triggers were off; a key marked valid does not exclude them.",
        "delete them, restore what they point to, or set them NULL",
    ),
    Rule(
        "rows-unreadable",
        "rows",
        _U,
        "the rows may not be read",
        "This role lacks SELECT, or row-level security would hide rows from it.",
        "GRANT SELECT, or use the owner",
    ),
    Rule(
        "rows-unfinished",
        "rows",
        _U,
        "the rows could not be read in time",
        "The time given ran out, or a lock was in the way.",
        "run it again with a longer --timeout",
    ),
    Rule(
        "index-missing",
        "indexes",
        _W,
        "no index supports the key",
        "Every delete of a referenced row reads the whole referencing table.",
        "CREATE INDEX CONCURRENTLY",
    ),
    Rule(
        "index-duplicate",
        "indexes",
        _W,
        "two indexes are the same",
        "Every write pays twice, no query gains.",
        "DROP INDEX CONCURRENTLY",
    ),
    Rule(
        "index-invalid",
        "indexes",
        _W,
        "an index is INVALID",
        "A CREATE or REINDEX CONCURRENTLY was interrupted: it costs writes and serves no query.",
        "REINDEX INDEX CONCURRENTLY, or DROP INDEX CONCURRENTLY",
    ),
    Rule(
        "drift",
        "drift",
        _E,
        "the database is not what the migrations make",
        "Something was changed by hand, or a migration was edited.",
        "the SQL shown, or a new migration",
    ),
    Rule(
        "drift-cosmetic",
        "drift",
        _W,
        "a difference that no query notices",
        "Names or comments differ from what the migrations make.",
        "the SQL shown, or a new migration",
    ),
)

_RULES = {rule.code: rule for rule in RULES}

_ACTIONS = {"a": "NO ACTION", "r": "RESTRICT", "c": "CASCADE", "n": "SET NULL", "d": "SET DEFAULT"}
_MATCHES = {"s": "SIMPLE", "f": "FULL", "p": "PARTIAL"}
_KINDS = {
    "r": "table",
    "p": "partitioned table",
    "v": "view",
    "m": "materialized view",
    "f": "foreign table",
    "S": "sequence",
    "i": "index",
    "I": "partitioned index",
    "c": "composite type",
    "t": "TOAST table",
}

_CHECK_INSERT, _CHECK_UPDATE = 1644, 1645
_ON_DELETE = {"c": 1646, "r": 1648, "n": 1650, "d": 1652, "a": 1654}
_ON_UPDATE = {"c": 1647, "r": 1649, "n": 1651, "d": 1653, "a": 1655}
# Object ids of pg_catalog's RI_FKey_… functions, fixed in PostgreSQL's src/include/catalog/pg_proc.dat:
# compared instead of names, so that neither a search_path nor a namesake matters.
_AFTER_INSERT, _AFTER_DELETE, _AFTER_UPDATE = 5, 9, 17
# tgtype of an AFTER trigger FOR EACH ROW, PostgreSQL's src/include/catalog/pg_trigger.h.


@dataclass(frozen=True, slots=True)
class Verified:
    """One requirement and its verdict: ``yes``, ``no`` or ``cannot tell``; ``codes`` are its findings'.

    ``kind`` is table, foreign key, column, unique, check, index or migration.  For a foreign key
    ``source`` and ``target`` are both sides and ``shown`` says in how many rows of the views
    table_constraints, key_column_usage, constraint_column_usage and referential_constraints of
    information_schema this role sees the name.
    """

    kind: str
    name: str
    verdict: str
    codes: tuple[str, ...] = ()
    source: str = ""
    target: str = ""
    shown: tuple[int, int, int, int] | None = None


@dataclass(frozen=True, slots=True)
class InformationSchema:
    """What the guide's queries return to this role, beside what pg_catalog knows of the same tables.

    ``constraints`` counts table_constraints, ``joined`` is the number of rows of its join with
    key_column_usage and constraint_column_usage on the name, ``with_actions`` are those that
    referential_constraints shows.  ``catalog`` is pg_catalog's count, None where it is hidden.
    """

    constraints: int
    joined: int
    with_actions: int
    catalog: int | None

    @property
    def agrees(self) -> bool:
        """Whether all three views lead to the number that pg_catalog knows."""
        return self.catalog is not None and self.constraints == self.joined == self.with_actions == self.catalog


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


@dataclass(frozen=True, slots=True)
class CheckResult:
    """All that was found and all that was verified.  Findings stand in the order of the contract."""

    label: str
    schema: str
    server_version: str
    role: str
    sections: tuple[str, ...]
    findings: tuple[Finding, ...]
    verified: tuple[Verified, ...]
    information_schema: InformationSchema | None = None
    orphans: tuple[Orphans, ...] = ()
    notes: tuple[str, ...] = ()
    fail_on: Severity = Severity.ERROR
    duration_ms: int = 0

    @property
    def counts(self) -> tuple[tuple[str, int, int], ...]:
        """``(kind, holding, required)`` for each kind of requirement, in order of first mention."""
        all_of = Counter(v.kind for v in self.verified)
        good = Counter(v.kind for v in self.verified if v.verdict == "yes")
        return tuple((kind, good[kind], number) for kind, number in all_of.items())

    @property
    def exit_code(self) -> int:
        """0 nothing at the fail-on level · 1 the answer is no · 3 cannot tell.  A certain no wins."""
        levels = {f.severity for f in self.findings}
        if Severity.ERROR in levels or (self.fail_on is Severity.WARNING and Severity.WARNING in levels):
            return 1
        return 3 if Severity.UNKNOWN in levels else 0


# --- what the catalogs say, as values ---------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Named:
    oid: int
    schema: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class _Relation:
    root: int
    oid: int
    schema: str
    name: str
    kind: str
    persistence: str
    is_partition: bool
    has_triggers: bool
    owner: str
    owner_has_usage: bool
    owner_has_select: bool
    owner_has_update: bool
    owner_has_delete: bool

    def __str__(self) -> str:
        return _qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class _Column:
    relation: int
    number: int
    name: str
    type: str
    is_nullable: bool
    collation: int
    collation_name: str
    is_deterministic: bool
    default: str | None = None


@dataclass(frozen=True, slots=True)
class _Key:
    oid: int
    top: int
    parent: int
    name: str
    relation: int
    schema: str
    table: str
    to_relation: int
    to_schema: str
    to_table: str
    numbers: list[int]
    to_numbers: list[int]
    columns: list[str]
    to_columns: list[str]
    set_columns: list[str]
    on_delete: str
    on_update: str
    match: str
    is_deferrable: bool
    is_deferred: bool
    is_validated: bool
    is_enforced: bool
    is_period: bool
    index: int
    operators: list[str]
    left_types: list[str]
    right_types: list[str]
    owner_reads: bool
    to_owner_reads: bool

    @property
    def pairs(self) -> Counter[tuple[str, str]]:
        return Counter(zip(self.columns, self.to_columns, strict=True))

    @property
    def deferrable(self) -> str:
        return DEFERRED if self.is_deferred else DEFERRABLE if self.is_deferrable else NOT_DEFERRABLE

    def __str__(self) -> str:
        return _definition(
            _qualified(self.schema, self.table),
            self.columns,
            _qualified(self.to_schema, self.to_table),
            self.to_columns,
            _ACTIONS.get(self.on_delete, "?"),
            tuple(self.set_columns),
            _ACTIONS.get(self.on_update, "?"),
            _MATCHES.get(self.match, "?"),
            self.deferrable,
            self.is_period,
        )


@dataclass(frozen=True, slots=True)
class _KeyTrigger:
    key: int
    relation: int
    name: str
    routine: int
    type: int
    enabled: str
    is_altered: bool

    @property
    def is_on(self) -> bool:
        return self.enabled in ("O", "A")


@dataclass(frozen=True, slots=True)
class _RowTrigger:
    relation: int
    name: str
    is_delete: bool
    is_update: bool
    update_of: list[str]
    asks_depth: bool
    language: str
    source: str


@dataclass(frozen=True, slots=True)
class _Rule:
    relation: int
    name: str
    event: str


@dataclass(frozen=True, slots=True)
class _Setting:
    role: str | None
    is_for_database: bool
    value: str
    can_write: bool


@dataclass(frozen=True, slots=True)
class _Index:
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
    constraint_name: str | None

    def __str__(self) -> str:
        return _qualified(self.schema, self.name)


@dataclass(frozen=True, slots=True)
class _Predicate:
    oid: int
    predicate: str


@dataclass(frozen=True, slots=True)
class _Check:
    relation: int
    name: str
    expression: str
    is_validated: bool
    is_enforced: bool


@dataclass(frozen=True, slots=True)
class _ViewKey:
    schema: str
    table: str
    name: str


@dataclass(frozen=True, slots=True)
class _ViewCount:
    name: str
    rows: int


@dataclass(frozen=True, slots=True)
class _ViewAction:
    schema: str
    name: str
    on_delete: str


@dataclass(frozen=True, slots=True)
class _Session:
    role: str
    database: str
    version: int
    replication_role: str
    hidden: list[str]


_Row = TypeVar("_Row")


@dataclass(slots=True)
class _Reader:
    """One connection in one snapshot.  What may not be read is asked for once and remembered."""

    connection: psycopg.Connection[TupleRow]
    session: _Session
    unread: list[str] = field(default_factory=list)
    indexes: tuple[_Index, ...] | None = None

    def can(self, *catalogs: str) -> bool:
        missing = [c for c in catalogs if c in self.session.hidden]
        self.unread += [c for c in missing if c not in self.unread]
        return not missing

    def rows(self, kind: type[_Row], query: str, parameters: Mapping[str, object]) -> tuple[_Row, ...]:
        with self.connection.cursor(row_factory=class_row(kind)) as cursor:
            return tuple(cursor.execute(load_sql(query), parameters).fetchall())


@dataclass(frozen=True, slots=True)
class _Facts:
    """Everything that was read about the contract's tables.  None means that it may not be read."""

    schema: str
    has_schema: bool
    named: tuple[_Named, ...]
    relations: tuple[_Relation, ...]
    columns: tuple[_Column, ...]
    keys: tuple[_Key, ...] | None
    key_triggers: tuple[_KeyTrigger, ...] | None
    row_triggers: tuple[_RowTrigger, ...] | None
    rules: tuple[_Rule, ...] | None
    settings: tuple[_Setting, ...] | None
    namesakes: tuple[tuple[str, str, str], ...] = ()
    taken: frozenset[tuple[int, str]] = frozenset()
    """Table and name of each constraint of any kind that bears a name the contract gives to a key."""

    def find(self, name: Name) -> _Named | None:
        schema = name.schema or self.schema
        for one in self.named:
            if one.schema == schema and one.name == name.name:
                return one
        return None

    def table(self, name: Name) -> _Relation | None:
        """The ordinary or partitioned table of that name."""
        found = self.find(name)
        if found is None or found.kind not in ("r", "p"):
            return None
        return next((r for r in self.relations if r.root == found.oid and r.oid == found.oid), None)

    def stores(self, root: _Relation) -> tuple[_Relation, ...]:
        """Where the rows are: the table itself, or its partitions at the bottom of the tree."""
        if root.kind != "p":
            return (root,)
        return tuple(r for r in self.relations if r.root == root.oid and r.kind != "p" and r.is_partition)

    def routes(self, root: _Relation) -> tuple[_Relation, ...]:
        """Partitioned tables of the tree: an UPDATE that moves a row to another partition fires their triggers."""
        return tuple(
            r for r in self.relations if r.root == root.oid and r.kind == "p" and (r.oid == root.oid or r.is_partition)
        )

    def children(self, root: _Relation) -> tuple[_Relation, ...]:
        """Tables that inherit and are not partitions; another session's temporary ones show their rows only there."""
        return tuple(
            r
            for r in self.relations
            if r.root == root.oid and r.oid != root.oid and not r.is_partition and r.persistence != "t"
        )

    def columns_of(self, relation: int) -> dict[str, _Column]:
        return {c.name: c for c in self.columns if c.relation == relation}

    def keys_on(self, relation: int) -> tuple[_Key, ...]:
        """Keys of one table, without the copies that a partitioned *referenced* table brings along."""
        return self.keys_within({relation})

    def keys_within(self, relations: Collection[int]) -> tuple[_Key, ...]:
        """The same for several tables, in one pass: there may be thousands of partitions."""
        placed = {k.oid: k.relation for k in self.keys or ()}
        return tuple(k for k in self.keys or () if k.relation in relations and placed.get(k.parent) != k.relation)

    def family(self, key: _Key) -> tuple[_Key, ...]:
        return tuple(k for k in self.keys or () if k.top == key.top)

    def triggers_of(self, key: _Key, relation: int, routine: int, kind: int) -> tuple[_KeyTrigger, ...]:
        members = {k.oid for k in self.family(key)}
        return tuple(
            t
            for t in self.key_triggers or ()
            if t.key in members
            and t.relation == relation
            and t.routine == routine
            and t.type == kind
            and not t.is_altered
        )


def _qualified(schema: str, name: str) -> str:
    return f"{identifier(schema)}.{identifier(name)}"


def _list(names: Iterable[str]) -> str:
    return ", ".join(identifier(n) for n in names)


def _definition(
    table: str,
    columns: Sequence[str],
    to_table: str,
    to_columns: Sequence[str],
    on_delete: str,
    set_columns: Sequence[str],
    on_update: str,
    match: str,
    deferrable: str,
    is_period: bool,
) -> str:
    left, right = [identifier(c) for c in columns], [identifier(c) for c in to_columns]
    if is_period:
        left[-1], right[-1] = f"PERIOD {left[-1]}", f"PERIOD {right[-1]}"
    words = [f"{table}({', '.join(left)}) REFERENCES {to_table}({', '.join(right)})"]
    if match != "SIMPLE":
        words.append(f"MATCH {match}")
    if on_update != "NO ACTION":
        words.append(f"ON UPDATE {on_update}")
    if on_delete != "NO ACTION":
        words.append(f"ON DELETE {on_delete}" + (f" ({_list(set_columns)})" if set_columns else ""))
    if deferrable != NOT_DEFERRABLE:
        words.append(deferrable)
    return " ".join(words)


# --- the operation ----------------------------------------------------------------------------


def check(
    database: Database,
    contract: Contract | None,
    *,
    migrations: Migrations | None = None,
    only: Sequence[str] = DEFAULT_SECTIONS,
    rows_timeout_s: float = ROWS_TIMEOUT_S,
    sample: int = 5,
    wanted: Catalog | None = None,
    fail_on: Severity = Severity.ERROR,
) -> CheckResult:
    """Verify the sections ``only`` of: contract, ledger, rows, drift, indexes.  Reads only.

    ``contract`` is needed for contract, rows and indexes, ``migrations`` for ledger, ``wanted``
    (the catalog of a scratch database in which the migrations were replayed) for drift.  All of
    contract, rows and indexes is read in one snapshot.  Says yes to a key only if every catalog
    that bears on it was read and PostgreSQL enforces it there.

    Raise `UsageError` for an unknown section or one whose material is not given, `ConnectionFailed`
    or `DatabaseError` when the server is not there or goes away.
    """
    started = time.monotonic()
    unknown = [s for s in only if s not in SECTIONS]
    if unknown or not only:
        raise UsageError(
            f"there is no section {', '.join(unknown) or 'given'}", hint=f"known are: {', '.join(SECTIONS)}"
        )
    given = {"ledger": migrations, "drift": wanted, "contract": contract, "rows": contract, "indexes": contract}
    sections = tuple(s for s in SECTIONS if s in only)
    for section in sections:
        if given[section] is None:
            needs = {"ledger": "the migrations", "drift": "the replayed migrations"}.get(section, "a contract")
            raise UsageError(
                f"the section {section} needs {needs}", hint="give it, or leave the section out with --only"
            )
    findings: list[Finding] = []
    verified: list[Verified] = []
    notes: list[str] = []
    summary: InformationSchema | None = None
    orphans: tuple[Orphans, ...] = ()
    schema = (contract.schema if contract else None) or database.schema or ""
    with database.connect(autocommit=False) as connection:
        role = connection.info.user
        version = _version(connection.info.server_version)
        if contract is not None and {"contract", "rows", "indexes"} & set(sections):
            try:
                reader, search_path = _begin(connection)
                role = reader.session.role
                facts = _read_facts(reader, contract, database, search_path, deep="contract" in sections)
                schema = facts.schema
                if contract.schema and database.schema and contract.schema != database.schema:
                    notes.append(f"the contract's schema {contract.schema} is used, not {database.schema}")
                if "contract" in sections:
                    found, verdicts = _contract(reader, facts, contract)
                    findings += found
                    views = _information_schema(reader, facts, contract)
                    if isinstance(views, str):
                        notes.append(views)
                        verified += verdicts
                    else:
                        summary = views.summary
                        verified += [replace(v, shown=views.shown.get(v.name)) if v.source else v for v in verdicts]
                if "rows" in sections:
                    found, orphans = _rows(reader, facts, contract, timeout_s=rows_timeout_s, sample=sample)
                    findings += found
                if "indexes" in sections:
                    findings += _indexes(reader, facts, contract)
                findings += [f for f in _unseen(reader) if f not in findings]
            except psycopg.Error as error:
                if error.sqlstate != "42501":
                    raise database_error(error, "checking the contract") from error
                said = error.diag.message_primary or ""
                findings.append(
                    _finding(
                        "cannot-see",
                        "pg_catalog",
                        f"this role may not read what is needed: {said}",
                        help_=_grant(said, identifier(role)),
                    )
                )
                verified = verified or list(_all_unknown(contract, schema))
    if migrations is not None and "ledger" in sections:
        found, verdicts = _ledger(database, migrations)
        findings += found
        verified += verdicts
    if wanted is not None and "drift" in sections:
        findings += drift(database, wanted, schema=database.schema)
    return CheckResult(
        label=database.label,
        schema=schema,
        server_version=version,
        role=role,
        sections=sections,
        findings=tuple(findings),
        verified=tuple(verified),
        information_schema=summary,
        orphans=orphans,
        notes=tuple(notes),
        fail_on=fail_on,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _finding(
    code: str,
    object_: str,
    message: str,
    *,
    have: str = "",
    want: str = "",
    help_: str = "",
    location: Location | None = None,
) -> Finding:
    return Finding(code, _RULES[code].severity, object_, message, have, want, help_, location)


def _grant(said: str, role: str) -> str:
    """What gives a role what PostgreSQL denied it in its own catalog and what all roles have by default."""
    match = re.search(r"(schema|function) (\w+)$", said)
    if match is None:
        return ""
    if match[1] == "schema":
        return f"GRANT USAGE ON SCHEMA {match[2]} TO {role};"
    return f"GRANT EXECUTE ON FUNCTION pg_catalog.{match[2]} TO {role};"


def _version(number: int) -> str:
    return f"{number // 10000}.{number % 10000}"


def _begin(connection: psycopg.Connection[TupleRow]) -> tuple[_Reader, str]:
    """Open the snapshot.  The search_path that the role has by default is returned, then put away."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    row = connection.execute(
        "SELECT pg_catalog.current_setting('search_path'), pg_catalog.set_config('search_path', 'pg_catalog', true),"
        " pg_catalog.set_config('quote_all_identifiers', 'off', true),"
        f" pg_catalog.set_config('lock_timeout', '{_LOCK_TIMEOUT_MS}', true),"
        f" pg_catalog.set_config('statement_timeout', '{_STATEMENT_TIMEOUT_MS}', true),"
        " pg_catalog.set_config('idle_in_transaction_session_timeout', '0', true),"
        " pg_catalog.set_config('jit', 'off', true)"
        + (
            ", pg_catalog.set_config('transaction_timeout', '0', true)"
            if connection.info.server_version >= 170000
            else ""
        )
    ).fetchone()
    with connection.cursor(row_factory=class_row(_Session)) as cursor:
        session = cursor.execute(load_sql("check_session")).fetchone()
    if row is None or session is None:
        raise AssertionError("a SELECT without FROM returns one row")
    return _Reader(connection, session), str(row[0])


def _path_schemas(search_path: str, role: str) -> tuple[str, ...]:
    """Split a search_path as PostgreSQL does, also for schemas this role may not use."""
    found = []
    for match in re.finditer(r'\s*(?:"((?:[^"]|"")*)"|([^,"\s][^,]*?))\s*(?:,|\Z)', search_path):
        quoted, plain = match.groups()
        name = quoted.replace('""', '"') if quoted is not None else plain.lower()
        found.append(role if name == "$user" else name)
    return tuple(n for n in found if n and not n.startswith("pg_temp"))


def _choose_schema(contract: Contract, database: Database, named: Sequence[_Named], search_path: str, role: str) -> str:
    """The contract's schema, else the target's, else the first of the search_path with one of the tables."""
    given = contract.schema or database.schema
    if given:
        return given
    path = _path_schemas(search_path, role)
    wanted = {n.name for n in contract.names if n.schema is None}
    for schema in (*path, "public"):
        if any(n.schema == schema and n.name in wanted for n in named):
            return schema
    return "public"


_BASE = ("pg_class", "pg_namespace", "pg_inherits", "pg_attribute", "pg_collation")
# Without one of these nothing can be said at all.


def _read_facts(reader: _Reader, contract: Contract, database: Database, search_path: str, *, deep: bool) -> _Facts:
    if not reader.can(*_BASE):
        schema = contract.schema or database.schema or "public"
        return _Facts(schema, True, (), (), (), None, None, None, None, None)
    names = sorted({n.name for n in contract.names})
    named = reader.rows(_Named, "check_names", {"names": names})
    schema = _choose_schema(contract, database, named, search_path, reader.session.role)
    has_schema = reader.connection.execute(
        "SELECT EXISTS (SELECT FROM pg_catalog.pg_namespace WHERE nspname = %s)", (schema,)
    ).fetchone() == (True,)
    reader.connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (identifier(schema),))
    wanted = {(n.schema or schema, n.name) for n in contract.names}
    roots = [n.oid for n in named if (n.schema, n.name) in wanted]
    relations = reader.rows(_Relation, "check_relations", {"roots": roots})
    everywhere = sorted({r.oid for r in relations})
    keys = (
        reader.rows(_Key, "check_keys", {"relations": everywhere})
        if reader.can("pg_constraint", "pg_operator")
        else None
    )
    facts = _Facts(
        schema,
        has_schema,
        named,
        relations,
        _with_defaults(reader, contract, reader.rows(_Column, "check_columns", {"relations": everywhere})),
        keys,
        None,
        None,
        None,
        None,
    )
    if not deep:
        return facts
    relations_too = sorted({k.relation for k in keys or ()} | set(everywhere))
    missing = [k.name for k in contract.foreign_keys if k.name and not any(k.name == h.name for h in keys or ())]
    return replace(
        facts,
        key_triggers=reader.rows(_KeyTrigger, "check_key_triggers", {"keys": [k.oid for k in keys or ()]})
        if reader.can("pg_trigger", "pg_proc", "pg_language") and keys is not None
        else None,
        row_triggers=reader.rows(_RowTrigger, "check_row_triggers", {"relations": everywhere})
        if reader.can("pg_trigger", "pg_proc", "pg_language")
        else None,
        rules=reader.rows(_Rule, "check_rules", {"relations": relations_too}) if reader.can("pg_rewrite") else None,
        settings=reader.rows(_Setting, "check_settings", {"relations": everywhere})
        if reader.can("pg_db_role_setting", "pg_roles", "pg_database")
        else None,
        namesakes=tuple(
            (str(r[0]), str(r[1]), str(r[2]))
            for r in reader.connection.execute(load_sql("check_namesakes"), {"names": missing}).fetchall()
        )
        if missing and keys is not None
        else (),
        taken=frozenset(
            (int(r[0]), str(r[1]))
            for r in reader.connection.execute(
                load_sql("check_taken_names"),
                {"relations": roots, "names": [k.name for k in contract.foreign_keys if k.name]},
            ).fetchall()
        )
        if keys is not None
        else frozenset(),
    )


def _with_defaults(reader: _Reader, contract: Contract, columns: tuple[_Column, ...]) -> tuple[_Column, ...]:
    """Add the defaults that the contract asks for.  Only then: pg_get_expr waits for whoever alters the table."""
    wanted = {c.name for c in contract.columns if c.default is not None}
    asked = [c for c in columns if c.name in wanted]
    if not asked:
        return columns
    texts = _read_defaults(reader, sorted({c.relation for c in asked}))
    return tuple(
        replace(c, default=_UNREAD if texts is None else texts.get((c.relation, c.number))) if c in asked else c
        for c in columns
    )


def _read_defaults(reader: _Reader, relations: Sequence[int]) -> dict[tuple[int, int], str] | None:
    """``{(relation, column number): default}``, None where they cannot be read."""
    if not reader.can("pg_attrdef"):
        return None
    try:
        with reader.connection.transaction():
            rows = reader.connection.execute(load_sql("check_defaults"), {"relations": relations}).fetchall()
    except psycopg.errors.LockNotAvailable:
        return None
    return {(int(r[0]), int(r[1])): str(r[2]) for r in rows}


def _unseen(reader: _Reader) -> Iterator[Finding]:
    role = identifier(reader.session.role)
    for catalog in reader.unread:
        yield _finding(
            "cannot-see",
            f"pg_catalog.{catalog}",
            f"{reader.session.role} may not read pg_catalog.{catalog}",
            have=f"no SELECT on pg_catalog.{catalog}",
            want="SELECT, as PostgreSQL grants it to all",
            help_=f"GRANT SELECT ON pg_catalog.{catalog} TO {role};",
        )


def _all_unknown(contract: Contract, schema: str) -> Iterator[Verified]:
    for table in contract.tables:
        yield Verified("table", _full(table.name, schema), "cannot tell", ("cannot-see",))
    for key in contract.foreign_keys:
        yield Verified("foreign key", key.name or key.source, "cannot tell", ("cannot-see",), key.source, key.target)


def _full(name: Name, schema: str) -> str:
    return _qualified(name.schema or schema, name.name)


def _contract(reader: _Reader, facts: _Facts, contract: Contract) -> tuple[list[Finding], list[Verified]]:
    if reader.unread and not facts.relations and any(c in _BASE for c in reader.unread):
        return [], list(_all_unknown(contract, facts.schema))
    findings: list[Finding] = []
    verified: list[Verified] = []

    def settle(
        kind: str, name: str, found: Iterable[Finding], *, can_tell: bool, source: str = "", target: str = ""
    ) -> None:
        mine = list(found)
        findings.extend(f for f in mine if f not in findings)
        certain = any(f.severity is Severity.ERROR for f in mine)
        can_tell = can_tell and not any(f.severity is Severity.UNKNOWN for f in mine)
        verdict = "no" if certain else "yes" if can_tell else "cannot tell"
        verified.append(Verified(kind, name, verdict, tuple(dict.fromkeys(f.code for f in mine)), source, target))

    if not facts.has_schema:
        findings.append(
            _finding(
                "schema-missing",
                identifier(facts.schema),
                f"there is no schema {facts.schema} in database {reader.session.database}",
                have=NOTHING,
                want=f"schema {identifier(facts.schema)}",
                help_="wflo-schema migrate" if not contract.schema else "",
                location=_at(contract, 0),
            )
        )
    for table in contract.tables:
        settle("table", _full(table.name, facts.schema), _table(facts, contract, table), can_tell=True)
    findings.extend(_subscribed(reader, facts))
    everywhere = [] if _is_always_enforced(facts) else list(_replication_role(reader, facts))
    findings.extend(everywhere)
    seen_all = None not in (facts.keys, facts.key_triggers, facts.row_triggers, facts.rules, facts.settings)
    for key in contract.foreign_keys:
        mine = [] if facts.keys is None else list(_key(facts, contract, key))
        settle(
            "foreign key",
            key.name or key.source,
            [*mine, *everywhere],
            can_tell=seen_all,
            source=key.source,
            target=key.target,
        )
    can = not any(c.is_nullable is False for c in contract.columns) or _can_read_not_nulls(reader)
    weak = _read_weak_not_nulls(reader, [r.oid for r in facts.relations]) if can and contract.columns else {}
    for column in contract.columns:
        settle(
            "column",
            f"{_full(column.table, facts.schema)}.{identifier(column.name)}",
            _column(facts, contract, column, weak),
            can_tell=can or column.is_nullable is not False,
        )
    if contract.uniques or contract.indexes:
        can = reader.can("pg_index", "pg_am", "pg_constraint")
        indexes = _read_indexes(reader, [r.oid for r in facts.relations]) if can else ()
        for unique in contract.uniques:
            name = unique.name or f"{_full(unique.table, facts.schema)}({_list(unique.columns)})"
            settle("unique", name, _unique(facts, contract, indexes, unique) if can else (), can_tell=can)
        for index in contract.indexes:
            name = index.name or f"{_full(index.table, facts.schema)}({_list(index.columns)})"
            settle("index", name, _index(facts, contract, indexes, index) if can else (), can_tell=can)
    if contract.checks:
        can = reader.can("pg_constraint")
        relations = [r.oid for r in facts.relations]
        checks = reader.rows(_Check, "check_checks", {"relations": relations}) if can else ()
        for check_ in contract.checks:
            settle("check", check_.name, _check(facts, contract, checks, check_) if can else (), can_tell=can)
    return findings, verified


def _at(contract: Contract, line: int) -> Location | None:
    return Location(contract.path, line) if line else None


def _table(facts: _Facts, contract: Contract, table: RequiredTable) -> Iterator[Finding]:
    yield from _absent(facts, contract, table.name, table.line)
    found = facts.table(table.name)
    if found is not None and found.persistence == "u":
        yield _finding(
            "table-unlogged",
            str(found),
            f"{found} is UNLOGGED: a crash empties it",
            have="UNLOGGED",
            want="LOGGED",
            help_=f"ALTER TABLE {found} SET LOGGED;",
            location=_at(contract, table.line),
        )


def _absent(facts: _Facts, contract: Contract, name: Name, line: int) -> Iterator[Finding]:
    shown, found, where = _full(name, facts.schema), facts.find(name), _at(contract, line)
    if found is None:
        others = [n for n in facts.named if n.name == name.name]
        near = f"; there is {' and '.join(_qualified(o.schema, o.name) for o in others[:3])}" if others else ""
        yield _finding(
            "table-missing",
            shown,
            f"there is no table {shown}{near}",
            have=NOTHING,
            want=f"table {shown}",
            help_="wflo-schema migrate",
            location=where,
        )
    elif found.kind not in ("r", "p"):
        kind = _KINDS.get(found.kind, "relation")
        yield _finding(
            "table-wrong-kind",
            shown,
            f"{shown} is a {kind}, which can hold no foreign key",
            have=f"{kind} {shown}",
            want=f"table {shown}",
            location=where,
        )


_FROM_ELSEWHERE = ("client", "database", "user", "global")
# Sources in pg_settings that are this session's own, or that pg_db_role_setting tells of.
_AT_LOGIN = "session"
# The source of what was SET, which we never do: a trigger ON login did, or a library loaded into each session.


def _replication_role_source(reader: _Reader) -> str:
    if reader.session.replication_role != "replica" or not reader.can("pg_settings"):
        return ""
    row = reader.connection.execute(
        "SELECT s.source FROM pg_catalog.pg_settings AS s WHERE s.name = 'session_replication_role'"
    ).fetchone()
    return str(row[0]) if row else ""


def _is_hidden_replica(reader: _Reader, facts: _Facts) -> bool:
    """Whether the server's files say replica, which only this role's or connection's own setting overrides."""
    if reader.session.replication_role == "replica" or "pg_settings" in reader.session.hidden:
        return False
    if any(s.role is None and s.value != "replica" for s in facts.settings or ()):
        return False  # It overrides the files for everybody.
    row = reader.connection.execute(
        "SELECT s.source FROM pg_catalog.pg_settings AS s WHERE s.name = 'session_replication_role'"
        " AND pg_catalog.has_function_privilege('pg_catalog.pg_show_all_file_settings()', 'EXECUTE')"
        " AND pg_catalog.has_table_privilege('pg_catalog.pg_file_settings', 'SELECT')"
    ).fetchone()
    if row is None or not str(row[0]).startswith(_FROM_ELSEWHERE):
        return False
    found = reader.connection.execute(
        "SELECT lower(f.setting) FROM pg_catalog.pg_file_settings AS f"
        " WHERE f.name = 'session_replication_role' AND f.error IS NULL ORDER BY f.seqno DESC LIMIT 1"
    ).fetchone()
    return found is not None and str(found[0]) == "replica"


def _subscribed(reader: _Reader, facts: _Facts) -> Iterator[Finding]:
    if _is_always_enforced(facts) or "pg_subscription_rel" in reader.session.hidden:
        return  # What it would say is a warning: no verdict rests on it.
    rows = reader.connection.execute(
        "SELECT DISTINCT s.srrelid FROM pg_catalog.pg_subscription_rel AS s WHERE s.srrelid = ANY (%s) ORDER BY 1",
        ([r.oid for r in facts.relations],),
    ).fetchall()
    shown = {r.oid: str(r) for r in facts.relations}
    for (oid,) in rows:
        yield _finding(
            "table-subscribed",
            shown[int(oid)],
            f"{shown[int(oid)]} receives rows by logical replication, which does not check foreign keys",
            have="a subscription",
            want="rows written by ordinary sessions",
            help_="wflo-schema check --only rows",
        )


def _is_always_enforced(facts: _Facts) -> bool:
    """Whether every trigger of every key fires even in sessions in replica mode (ENABLE ALWAYS TRIGGER)."""
    return bool(facts.key_triggers) and all(t.enabled == "A" for t in facts.key_triggers or ())


def _replication_role(reader: _Reader, facts: _Facts) -> Iterator[Finding]:
    want = "session_replication_role = origin"
    session = reader.session
    source = _replication_role_source(reader)
    here = {s.role for s in facts.settings or () if s.is_for_database}
    known = [s for s in facts.settings or () if s.value == "replica" and (s.is_for_database or s.role not in here)]
    if session.replication_role == "replica" and source == _AT_LOGIN:
        yield _finding(
            "replication-role",
            f"sessions of database {identifier(session.database)}",
            "something switches foreign keys off as a session starts: an event trigger ON login, or a pooler's "
            "client that left it so",
            have="session_replication_role = replica",
            want=want,
            help_="SELECT evtname, evtfoid::regproc FROM pg_event_trigger WHERE evtevent = 'login';"
            " -- then: DROP EVENT TRIGGER …",
        )
    elif (session.replication_role == "replica" and not source.startswith(_FROM_ELSEWHERE)) or _is_hidden_replica(
        reader, facts
    ):
        yield _finding(
            "replication-role",
            f"server ({source or 'configuration file'})",
            "every session of this server starts with foreign keys switched off",
            have="session_replication_role = replica",
            want=want,
            help_="ALTER SYSTEM RESET session_replication_role; SELECT pg_reload_conf();",
        )
    for setting in known:
        if not setting.can_write:
            continue
        database = identifier(session.database)
        if setting.role is None:
            who = f"database {database}" if setting.is_for_database else "all roles"
            mend = (
                f"ALTER DATABASE {database} RESET session_replication_role;"
                if setting.is_for_database
                else "ALTER ROLE ALL RESET session_replication_role;"
            )
        else:
            role = identifier(setting.role)
            who = f"role {role}" + (f" in database {database}" if setting.is_for_database else "")
            place = f" IN DATABASE {database}" if setting.is_for_database else ""
            mend = f"ALTER ROLE {role}{place} RESET session_replication_role;"
        yield _finding(
            "replication-role",
            who,
            f"sessions of {who} start with foreign keys switched off: rows may point nowhere",
            have="session_replication_role = replica",
            want=want,
            help_=f"{mend} -- then: wflo-schema check --only rows",
        )


# --- one foreign key --------------------------------------------------------------------------


def _key(facts: _Facts, contract: Contract, key: RequiredKey) -> Iterator[Finding]:
    where = _at(contract, key.line)
    listed = {t.name for t in contract.tables}
    for name in dict.fromkeys((key.table, key.to_table)):
        if name not in listed:
            yield from _absent(facts, contract, name, key.line)
    shown = _full(key.table, facts.schema)
    want = _wanted(facts, key)
    table, target = facts.table(key.table), facts.table(key.to_table)
    label = f"{shown} {identifier(key.name)}" if key.name else f"{shown}({_list(key.columns)})"
    if table is None:
        found = facts.find(key.table)
        kind = f"{_KINDS.get(found.kind, 'relation')} {shown}" if found else NOTHING
        yield _finding(
            "key-missing", label, f"{shown} is no table, so it has no foreign key", have=kind, want=want, location=where
        )
        return
    missing = [
        (rel, col)
        for rel, cols in ((table, key.columns), (target, key.to_columns))
        if rel
        for col in cols
        if col not in facts.columns_of(rel.oid)
    ]
    for rel, col in missing:
        yield _finding(
            "column-missing",
            f"{rel}.{identifier(col)}",
            f"{rel} has no column {identifier(col)}",
            have=NOTHING,
            want=f"column {identifier(col)}",
            location=where,
        )
    candidates = facts.keys_on(table.oid)
    exact = [k for k in candidates if target is not None and k.to_relation == target.oid and k.pairs == _pairs(key)]
    if not exact:
        yield _nearest(facts, contract, key, table, candidates, label, want)
        return
    judged = [(k, list(_defects(facts, contract, key, table, cast(_Relation, target), k, label, want))) for k in exact]
    best, defects = min(
        judged,
        key=lambda j: (
            key.name is not None and j[0].name != key.name,
            sum(f.severity is Severity.ERROR for f in j[1]),
            j[0].oid,
        ),
    )
    yield from defects
    yield from _others(facts, key, table, cast(_Relation, target), best, candidates, label, want, where)


def _pairs(key: RequiredKey) -> Counter[tuple[str, str]]:
    return Counter(zip(key.columns, key.to_columns, strict=True))


def _wanted(facts: _Facts, key: RequiredKey) -> str:
    return _definition(
        _full(key.table, facts.schema),
        key.columns,
        _full(key.to_table, facts.schema),
        key.to_columns,
        key.on_delete,
        key.set_columns,
        key.on_update,
        key.match,
        key.deferrable,
        key.period,
    )


def _add(facts: _Facts, key: RequiredKey, table: _Relation, *, drop: str | None = None) -> str:
    """The statements that put the right key there, in place of another where ``drop`` names one."""
    _, _, rest = _wanted(facts, key).partition(" REFERENCES ")
    columns = [identifier(c) for c in key.columns]
    if key.period:
        columns[-1] = f"PERIOD {columns[-1]}"
    named = f"CONSTRAINT {identifier(key.name)} " if key.name else ""
    dropped = f"DROP CONSTRAINT {identifier(drop)}, " if drop else ""
    freed = _freed(facts, key, table) if drop != key.name else ""
    add = f"{freed}ALTER TABLE {table} {dropped}ADD {named}FOREIGN KEY ({', '.join(columns)}) REFERENCES {rest}"
    if table.kind == "p" or not key.name:
        return f"{add};"
    return f"{add} NOT VALID; ALTER TABLE {table} VALIDATE CONSTRAINT {identifier(key.name)};"


def _freed(facts: _Facts, key: RequiredKey, table: _Relation) -> str:
    """The statement that gives another name to what else is called as the key must be, if anything is."""
    if key.name is None or (table.oid, key.name) not in facts.taken:
        return ""
    other = key.name.encode()[: NAME_BYTES - 4].decode(errors="ignore") + "_was"
    return f"ALTER TABLE {table} RENAME CONSTRAINT {identifier(key.name)} TO {identifier(other)}; "


def _nearest(
    facts: _Facts,
    contract: Contract,
    key: RequiredKey,
    table: _Relation,
    candidates: Sequence[_Key],
    label: str,
    want: str,
) -> Finding:
    where = _at(contract, key.line)
    same_columns = [k for k in candidates if Counter(k.columns) == Counter(key.columns)]
    named = [k for k in candidates if key.name is not None and k.name == key.name]
    near = next((k for k in named if k in same_columns), None) or next(iter(same_columns or named), None)
    if near is None:
        elsewhere = [f"{_qualified(s, t)}" for n, s, t in facts.namesakes if n == key.name]
        hint = f"; {identifier(key.name or '')} is a key of {', '.join(elsewhere[:3])}" if elsewhere else ""
        return _finding(
            "key-missing",
            label,
            f"{table}({_list(key.columns)}) has no foreign key{hint}",
            have=NOTHING,
            want=want,
            help_=_add(facts, key, table),
            location=where,
        )
    mend = _add(facts, key, table, drop=near.name)
    same_target = (near.to_schema, near.to_table) == (key.to_table.schema or facts.schema, key.to_table.name)
    if near in same_columns and not (
        same_target and len(near.columns) > 1 and set(near.to_columns) == set(key.to_columns)
    ):
        seen = f"{_qualified(near.to_schema, near.to_table)}({_list(near.to_columns)})"
        return _finding(
            "key-wrong-target",
            label,
            f"{identifier(near.name)} references {seen}, not "
            f"{_full(key.to_table, facts.schema)}({_list(key.to_columns)})",
            have=str(near),
            want=want,
            help_=mend,
            location=where,
        )
    return _finding(
        "key-wrong-columns",
        label,
        f"{identifier(near.name)} is on ({_list(near.columns)}) to ({_list(near.to_columns)})",
        have=str(near),
        want=want,
        help_=mend,
        location=where,
    )


_MENDED_BY_REPLACING = frozenset(
    {"key-wrong-name", "key-wrong-deferrability", "key-not-valid", "key-not-enforced", "key-trigger-disabled"}
)
# Where the key is replaced anyway, its replacement has these right as well, and its old name is gone.


def _defects(
    facts: _Facts,
    contract: Contract,
    key: RequiredKey,
    table: _Relation,
    target: _Relation,
    have: _Key,
    label: str,
    want: str,
) -> Iterator[Finding]:
    """Everything in which one key with the right columns on both sides is not what is required."""
    where = _at(contract, key.line)
    name, replaced = identifier(have.name), _add(facts, key, table, drop=have.name)
    on_delete, on_update = _ACTIONS.get(have.on_delete, "?"), _ACTIONS.get(have.on_update, "?")
    is_other_action = on_delete != key.on_delete or (
        on_delete in ("SET NULL", "SET DEFAULT")
        and sorted(have.set_columns or have.columns) != sorted(key.set_columns or key.columns)
    )
    is_other_match = _MATCHES.get(have.match) != key.match
    must_be_replaced = have.is_period != key.period or is_other_action or on_update != key.on_update or is_other_match

    def no(code: str, message: str, mend: str = "", have_: str = "") -> Finding:
        if not mend or (must_be_replaced and code in _MENDED_BY_REPLACING):
            mend = replaced
        return _finding(code, label, message, have=have_ or str(have), want=want, help_=mend, location=where)

    if have.is_period != key.period:
        yield no("key-wrong-kind", f"{name} is {'a' if have.is_period else 'not a'} PERIOD key")
    if is_other_action:
        yield no(
            "key-wrong-on-delete",
            f"{name} is ON DELETE {on_delete}"
            + (f" ({_list(have.set_columns)})" if have.set_columns else "")
            + f", not {key.on_delete}"
            + (f" ({_list(key.set_columns)})" if key.set_columns else ""),
        )
    if on_update != key.on_update:
        yield no("key-wrong-on-update", f"{name} is ON UPDATE {on_update}, not {key.on_update}")
    if is_other_match:
        yield no("key-wrong-match", f"{name} is MATCH {_MATCHES.get(have.match, '?')}, not {key.match}")
    if have.deferrable != key.deferrable:
        yield no(
            "key-wrong-deferrability",
            f"{name} is {have.deferrable}, not {key.deferrable}",
            f"ALTER TABLE {table} ALTER CONSTRAINT {name} {key.deferrable};",
        )
    yield from _strength(facts, table, target, have, no)
    yield from _collations(facts, table, target, have, no)
    yield from _stoppers(facts, table, have, no)
    yield from _privileges(table, target, have, no)
    for child in facts.children(table):
        yield from _inherited(facts, key, table, child, target, have, label, want, no)
    if key.name is not None and have.name != key.name:
        yield no(
            "key-wrong-name",
            f"the key is called {name}, not {identifier(key.name)}",
            f"{_freed(facts, key, table)}ALTER TABLE {table} RENAME CONSTRAINT {name} TO {identifier(key.name)};",
            f"CONSTRAINT {name} {have}",
        )


_No = Callable[..., Finding]


def _inherited(
    facts: _Facts,
    key: RequiredKey,
    table: _Relation,
    child: _Relation,
    target: _Relation,
    like: _Key,
    label: str,
    want: str,
    no: _No,
) -> Iterator[Finding]:
    """What keeps an inheritance child's rows, which show in the table, from being as honest as its own."""
    own = facts.keys_on(child.oid)
    same = [k for k in own if k.to_relation == target.oid and k.pairs == like.pairs]
    on_delete, on_update = _ACTIONS.get(like.on_delete, "?"), _ACTIONS.get(like.on_update, "?")
    sets = f" ({_list(like.set_columns)})" if like.set_columns else ""
    add = (
        f"FOREIGN KEY ({_list(like.columns)}) REFERENCES {target} ({_list(like.to_columns)})"
        f" ON DELETE {on_delete}{sets} ON UPDATE {on_update};"
    )

    def judge(mine: _Key) -> list[Finding]:
        name = identifier(mine.name)
        mend_ = f"ALTER TABLE {child} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {add}"

        def no_(code: str, message: str, mend: str = "", have: str = "") -> Finding:
            return no(code, message, mend or mend_, have or str(mine))

        return [
            *_strength(facts, child, target, mine, no_),
            *_collations(facts, child, target, mine, no_),
            *_stoppers(facts, child, mine, no_),
            *_privileges(child, target, mine, no_),
            *_others(facts, key, child, target, mine, own, label, want, None),
        ]

    equal = [k for k in same if (k.on_delete, k.on_update) == (like.on_delete, like.on_update)]
    if equal:
        yield from min(map(judge, equal), key=lambda found: sum(f.severity is Severity.ERROR for f in found))
        return
    drops = "".join(f"DROP CONSTRAINT {identifier(k.name)}, " for k in same)
    yield no(
        "key-not-inherited",
        f"{child} inherits from {table}, its rows show there and no equal key checks them",
        f"ALTER TABLE {child} {drops}ADD {add}",
        "; ".join(map(str, same)) or f"{child} without a foreign key",
    )


def _strength(facts: _Facts, table: _Relation, target: _Relation, have: _Key, no: _No) -> Iterator[Finding]:
    """Enforced, validated, and every internal trigger there and on, on both sides and on every partition."""
    name = identifier(have.name)
    stores = facts.stores(table)
    inside = {table.oid, *(r.oid for r in facts.relations if r.root == table.oid and r.is_partition)}
    members = {k.oid for k in facts.family(have)}
    mine = sorted((k for k in facts.keys_within(inside) if k.oid in members), key=lambda k: (k.relation, k.oid))
    if not all(k.is_enforced for k in mine):
        yield no(
            "key-not-enforced",
            f"{name} is NOT ENFORCED: PostgreSQL checks nothing",
            f"ALTER TABLE {table} ALTER CONSTRAINT {name} ENFORCED;",
            f"{have} NOT ENFORCED",
        )
        return
    for k in dict.fromkeys(k.relation for k in mine if not k.is_validated):
        weak = next(m for m in mine if m.relation == k and not m.is_validated)
        place = _qualified(weak.schema, weak.table)
        yield no(
            "key-not-valid",
            f"{identifier(weak.name)} of {place} is NOT VALID: rows from before were never checked",
            f"ALTER TABLE {place} VALIDATE CONSTRAINT {identifier(weak.name)};",
            f"{weak} NOT VALID",
        )
    if facts.key_triggers is None:
        return
    needed = [
        *((r, _CHECK_INSERT, _AFTER_INSERT, "inserts into") for r in stores),
        *((r, _CHECK_UPDATE, _AFTER_UPDATE, "updates of") for r in stores),
        *((r, _ON_DELETE.get(have.on_delete, 0), _AFTER_DELETE, "deletes from") for r in facts.stores(target)),
        *((r, _ON_UPDATE.get(have.on_update, 0), _AFTER_UPDATE, "updates of") for r in facts.stores(target)),
        *((r, _ON_UPDATE.get(have.on_update, 0), _AFTER_UPDATE, "moved rows of") for r in facts.routes(target)),
    ]
    there: dict[tuple[int, int, int], list[_KeyTrigger]] = {}
    for t in facts.key_triggers:
        if t.key in members and not t.is_altered:
            there.setdefault((t.relation, t.routine, t.type), []).append(t)
    for relation, routine, kind, event in needed:
        found = there.get((relation.oid, routine, kind), [])
        if not found:
            yield no(
                "key-trigger-missing",
                f"the trigger of {name} that watches {event} {relation} does not exist",
                "",
                f"no internal trigger on {relation}",
            )
        elif not any(t.is_on for t in found):
            state = "fires in replica sessions only" if found[0].enabled == "R" else "is disabled"
            yield no(
                "key-trigger-disabled",
                f"the trigger of {name} that watches {event} {relation} {state}",
                f"ALTER TABLE {relation} ENABLE TRIGGER {identifier(found[0].name)};"
                " -- then: wflo-schema check --only rows",
                f"trigger {identifier(found[0].name)} on {relation} "
                f"{'REPLICA' if found[0].enabled == 'R' else 'DISABLED'}",
            )
        elif not relation.has_triggers:
            yield no(
                "key-trigger-disabled",
                f"pg_class.relhastriggers is false for {relation}: none of its triggers fires",
                "",
                f"{relation} with its triggers hidden",
            )


def _collations(facts: _Facts, table: _Relation, target: _Relation, have: _Key, no: _No) -> Iterator[Finding]:
    left, right = facts.columns_of(table.oid), facts.columns_of(target.oid)
    for a, b in zip(have.columns, have.to_columns, strict=True):
        one, other = left.get(a), right.get(b)
        if one is None or other is None or one.collation == other.collation:
            continue
        if not (one.is_deterministic and other.is_deterministic):
            yield no(
                "key-collation",
                f"{identifier(a)} and {target}.{identifier(b)} have different collations, "
                "of which one holds different texts for equal",
                f"ALTER TABLE {table} ALTER COLUMN {identifier(a)} TYPE {one.type} COLLATE {other.collation_name};",
            )


_NULL = re.compile(r"\bNULL\b", re.IGNORECASE)
_IS_NULL = re.compile(r"\bIS\s+(?:NOT\s+)?NULL\b", re.IGNORECASE)


def _can_stop(trigger: _RowTrigger, on: str, columns: Iterable[str] = ()) -> bool | None:
    """Whether the trigger cancels what it sees: True, False, or None where that cannot be known.

    ``columns`` are those that the key's UPDATE sets.
    """
    if trigger.language != "plpgsql":
        return None
    from wflo_schema import plpgsql

    seen = plpgsql.returned(trigger.source, on)
    returned, code = seen.expressions, seen.code
    if not returned:
        return None
    kept, lost = ("OLD", "NEW") if on == "delete" else ("NEW", "OLD")
    stops: bool | None = None
    if returned == {lost} or any(_NULL.search(_IS_NULL.sub(" ", r)) for r in returned):
        stops = True
    elif lost in returned and not seen.is_unclear:
        stops = True
    elif returned == {kept}:
        stops = _is_undone(code, kept, lost, columns)
    elif len(returned) == 1:
        stops = _is_lost(code, next(iter(returned)), kept)
    return None if stops and (seen.asks_depth or trigger.asks_depth) else stops


def _is_undone(code: str, kept: str, lost: str, columns: Iterable[str]) -> bool | None:
    """Whether the row that is returned was emptied, or was given back the value that the key takes away."""
    if re.search(rf"\b{kept}\s*:?=\s*(?:NULL|{lost})\s*;", code, re.IGNORECASE):
        return True
    undone: bool | None = False
    if re.search(rf"\b{kept}\s*:?=|\binto\s+(?:strict\s+)?{kept}\b", code, re.IGNORECASE):
        undone = None
    for column in columns if kept == "NEW" else ():
        name = rf'(?:{re.escape(column)}|"{re.escape(identifier(column).strip(chr(34)))}")'
        for value in re.findall(rf"\bNEW\s*\.\s*{name}\s*:?=([^;]*);", code, re.IGNORECASE):
            if re.search(r"\bOLD\b", value, re.IGNORECASE):
                return True
            if value.strip().upper() != "NULL":
                undone = None
    return undone


def _is_lost(code: str, variable: str, kept: str) -> bool | None:
    """Whether the variable that is returned is always NULL, always the row, or who knows."""
    if not re.fullmatch(r"[A-Z_]\w*", variable):
        return None
    if re.search(rf"\b(?:into|for)\s+(?:strict\s+)?{variable}\b|,\s*{variable}\b", code, re.IGNORECASE):
        return None
    found = re.findall(rf"(?<![\w.]){variable}\s*:?=(?!=)([^;]*);", code, re.IGNORECASE)
    values = {v.strip().upper() for v in found}
    return True if values == {"NULL"} else False if values == {kept} else None


def _stoppers(facts: _Facts, table: _Relation, have: _Key, no: _No) -> Iterator[Finding]:
    """Rules and row triggers of users that the key's own DELETE or UPDATE runs into."""
    name = identifier(have.name)
    acts = {"delete"} if have.on_delete == "c" else set()
    if have.on_delete in "nd" or have.on_update in "cnd":
        acts.add("update")
    members = facts.family(have)
    acting = {t.key for t in facts.key_triggers or () if t.routine in (*_ON_DELETE.values(), *_ON_UPDATE.values())}
    entries = {k.relation for k in members if k.oid in acting} or {table.oid}
    places = {k.relation: _qualified(k.schema, k.table) for k in members}
    for rule in facts.rules or ():
        event = {"2": "update", "4": "delete"}[rule.event]
        if rule.relation in entries and event in acts:
            yield no(
                "key-stopped-by-rule",
                f"the rule {identifier(rule.name)} replaces the {event} that {name} needs",
                f"DROP RULE {identifier(rule.name)} ON {places.get(rule.relation, str(table))};",
                f"rule {identifier(rule.name)} ON {event.upper()} DO INSTEAD",
            )
    stores = {r.oid: r for r in facts.stores(table)}
    for trigger in facts.row_triggers or ():
        if trigger.relation not in stores:
            continue
        where = stores[trigger.relation]
        written = have.columns if have.on_update in "cnd" else have.set_columns or have.columns
        sees_update = trigger.is_update and (not trigger.update_of or bool(set(trigger.update_of) & set(written)))
        for event, concerned in (("delete", trigger.is_delete), ("update", sees_update)):
            if event not in acts or not concerned:
                continue
            stops = _can_stop(trigger, event, written)
            shown = f"BEFORE {event.upper()} trigger {identifier(trigger.name)} on {where}"
            if stops:
                yield no(
                    "key-stopped-by-trigger",
                    f"the {shown} can return NULL"
                    + (" or put the old value back" if event == "update" else "")
                    + f", which silently stops {name}",
                    f"DROP TRIGGER {identifier(trigger.name)} ON {where}; "
                    f"-- or let it RETURN {'OLD' if event == 'delete' else 'NEW'}",
                    shown,
                )
            elif stops is None and (event == "delete" or trigger.language == "plpgsql"):
                yield no(
                    "key-maybe-stopped",
                    f"the {shown} may stop {name} by returning NULL"
                    + (" or putting the old value back" if event == "update" else ""),
                    f"DROP TRIGGER {identifier(trigger.name)} ON {where}; "
                    f"-- or see to it that it always lets the key's {event.upper()} pass",
                    shown,
                )


def _privileges(table: _Relation, target: _Relation, have: _Key, no: _No) -> Iterator[Finding]:
    """PostgreSQL runs a key's queries as the owner of the table that they touch."""
    act = "DELETE" if have.on_delete == "c" else "UPDATE"
    for relation, wanted, reads in (
        (target, ("SELECT", "UPDATE"), have.to_owner_reads),
        (table, ("SELECT", act), have.owner_reads),
    ):
        lacks = [
            p
            for p, has in (
                ("SELECT", relation.owner_has_select and reads),
                ("UPDATE", relation.owner_has_update),
                ("DELETE", relation.owner_has_delete),
            )
            if p in wanted and not has
        ]
        owner = identifier(relation.owner)
        if not relation.owner_has_usage:
            yield no(
                "key-owner-lacks-privilege",
                f"{owner}, who owns {relation}, may not use its schema: the queries of {identifier(have.name)} fail",
                f"GRANT USAGE ON SCHEMA {identifier(relation.schema)} TO {owner};",
                f"{owner} without USAGE",
            )
        elif lacks:
            yield no(
                "key-owner-lacks-privilege",
                f"{owner}, who owns {relation}, lacks {' and '.join(lacks)} on it: "
                f"the queries of {identifier(have.name)} fail",
                f"GRANT {', '.join(lacks)} ON {relation} TO {owner};",
                f"{owner} without {', '.join(lacks)}",
            )


def _others(
    facts: _Facts,
    key: RequiredKey,
    table: _Relation,
    target: _Relation,
    mine: _Key,
    candidates: Sequence[_Key],
    label: str,
    want: str,
    where: Location | None,
) -> Iterator[Finding]:
    """Other keys of the same column to the same table: their triggers fire in the order of their names."""
    if facts.key_triggers is None:
        return
    partitions = {r.oid for r in facts.relations if r.root == table.oid and r.is_partition}
    others = {k.top: k for k in facts.keys_within(partitions)} | {k.top: k for k in candidates}
    within = {target.oid, *(r.oid for r in facts.relations if r.root == target.oid and r.is_partition)}
    for other in others.values():
        if other.top == mine.top or other.to_relation not in within or not set(other.columns) & set(mine.columns):
            continue
        top = next((k for k in facts.keys or () if k.oid == other.top), other)
        place = _qualified(top.schema, top.table)
        drop = f"ALTER TABLE {place} DROP CONSTRAINT {identifier(top.name)};"
        verdicts = set()
        for event, routines, kind in (("delete", _ON_DELETE, _AFTER_DELETE), ("update", _ON_UPDATE, _AFTER_UPDATE)):
            my_action = getattr(mine, f"on_{event}")
            its_action = getattr(other, f"on_{event}")
            if (
                my_action == its_action
                or {my_action, its_action} <= {"a", "r"}
                or (event == "update" and my_action in "ar")
            ):
                continue
            for store in facts.stores(target):
                its = [t for t in facts.triggers_of(other, store.oid, routines.get(its_action, 0), kind) if t.is_on]
                ours = facts.triggers_of(mine, store.oid, routines.get(my_action, 0), kind)
                if its and ours:
                    first = _moment(other, its_action, its[0]) < _moment(mine, my_action, ours[0])
                    verdicts.add("key-action-defeated" if first else "key-action-fragile")
        name, act = identifier(other.name), _ACTIONS.get(other.on_delete, "?")
        if "key-action-defeated" in verdicts:
            yield _finding(
                "key-action-defeated",
                label,
                f"{name} (ON DELETE {act}) is older, acts first and defeats {identifier(mine.name)}",
                have=f"CONSTRAINT {name} {other}",
                want=want,
                help_=drop,
                location=where,
            )
        elif verdicts:
            yield _finding(
                "key-action-fragile",
                label,
                f"{name} (ON DELETE {act}) acts after {identifier(mine.name)} only because it is younger",
                have=f"CONSTRAINT {name} {other}",
                want=want,
                help_=drop,
                location=where,
            )
        elif other.pairs == mine.pairs and other.to_relation == target.oid:
            yield _finding(
                "key-duplicate",
                label,
                f"{name} is the same key once more",
                have=f"CONSTRAINT {name} {other}",
                want=want,
                help_=drop,
                location=where,
            )


def _moment(key: _Key, action: str, trigger: _KeyTrigger) -> tuple[bool, bytes]:
    """Deferred triggers wait for the commit; the others fire in the order of their names, compared as bytes."""
    return (action == "a" and key.is_deferred, trigger.name.encode())


# --- the contract's other requirements --------------------------------------------------------

_TYPE_ALIASES = {
    "varchar": "character varying",
    "char": "character",
    "timestamptz": "timestamp with time zone",
    "timestamp": "timestamp without time zone",
    "timetz": "time with time zone",
    "time": "time without time zone",
    "int": "integer",
    "int4": "integer",
    "int8": "bigint",
    "int2": "smallint",
    "bool": "boolean",
    "float8": "double precision",
    "float": "double precision",
    "float4": "real",
    "decimal": "numeric",
    "varbit": "bit varying",
}


def _plain_type(text: str) -> str:
    words = re.sub(r"\s*([(),\[\]])\s*", r"\1", " ".join(text.lower().split()))
    match = re.fullmatch(r"(\w+)((?:\([\d,]+\))?)(.*)", words)
    if match is None or match[1] not in _TYPE_ALIASES or match[3].startswith(" "):
        return words
    first, _, rest = _TYPE_ALIASES[match[1]].partition(" ")
    if first in ("timestamp", "time"):
        return f"{first}{match[2]} {rest}{match[3]}"
    return f"{_TYPE_ALIASES[match[1]]}{match[2]}{match[3]}"


_NOT_NULL_CAN_BE_WEAK = 180000
# The server's version from which a NOT NULL constraint can be NOT VALID; pg_attribute does not tell.


def _can_read_not_nulls(reader: _Reader) -> bool:
    return reader.session.version < _NOT_NULL_CAN_BE_WEAK or reader.can("pg_constraint")


def _read_weak_not_nulls(reader: _Reader, relations: Sequence[int]) -> dict[tuple[int, int], str]:
    """``{(relation, column number): constraint}`` of NOT NULL constraints that are NOT VALID."""
    if reader.session.version < _NOT_NULL_CAN_BE_WEAK or "pg_constraint" in reader.session.hidden:
        return {}
    rows = reader.connection.execute(load_sql("check_not_nulls"), {"relations": relations}).fetchall()
    return {(int(r[0]), int(r[1])): str(r[2]) for r in rows}


def _column(
    facts: _Facts, contract: Contract, column: RequiredColumn, weak: Mapping[tuple[int, int], str]
) -> Iterator[Finding]:
    where = _at(contract, column.line)
    table = facts.table(column.table)
    if table is None:
        if column.table not in {t.name for t in contract.tables}:
            yield from _absent(facts, contract, column.table, column.line)
        yield _finding(
            "column-missing",
            f"{_full(column.table, facts.schema)}.{identifier(column.name)}",
            "its table is not there",
            have=NOTHING,
            want=f"column {identifier(column.name)}",
            location=where,
        )
        return
    name, found = f"{table}.{identifier(column.name)}", facts.columns_of(table.oid).get(column.name)
    if found is None:
        yield _finding(
            "column-missing",
            name,
            f"{table} has no column {identifier(column.name)}",
            have=NOTHING,
            want=f"{identifier(column.name)} {column.type or ''}".strip(),
            location=where,
        )
        return
    start = f"ALTER TABLE {table} ALTER COLUMN {identifier(column.name)}"
    if column.type is not None and _plain_type(column.type) != _plain_type(found.type):
        yield _finding(
            "column-wrong",
            name,
            f"{name} is of another type",
            have=found.type,
            want=column.type,
            help_=f"{start} TYPE {column.type};",
            location=where,
        )
    if column.is_nullable is not None and column.is_nullable != found.is_nullable:
        yield _finding(
            "column-wrong",
            name,
            f"{name} {'accepts' if found.is_nullable else 'refuses'} NULL",
            have="null" if found.is_nullable else "not null",
            want="null" if column.is_nullable else "not null",
            help_=f"{start} {'DROP' if column.is_nullable else 'SET'} NOT NULL;",
            location=where,
        )
    elif column.is_nullable is False and (table.oid, found.number) in weak:
        constraint = identifier(weak[table.oid, found.number])
        yield _finding(
            "column-wrong",
            name,
            f"{constraint} is NOT VALID: rows from before may be NULL",
            have="not null, NOT VALID",
            want="not null",
            help_=f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint};",
            location=where,
        )
    if column.default is not None and found.default == _UNREAD:
        yield _locked(name, f"the default of {name}", column.default, where)
    elif column.default is not None and _words(column.default) != _words(found.default or ""):
        yield _finding(
            "column-wrong",
            name,
            f"{name} has another default",
            have=found.default or NOTHING,
            want=column.default,
            help_=f"{start} SET DEFAULT {column.default};",
            location=where,
        )


def _words(text: str) -> str:
    return " ".join(text.split())


_UNREAD = "?"
# Stands for the text of a predicate or default that was not read.


def _locked(object_: str, what: str, want: str, where: Location | None) -> Finding:
    return _finding(
        "cannot-see",
        object_,
        f"{what} cannot be read now: another session holds a lock on the table, or pg_attrdef may not be read",
        want=want,
        help_="run it again when the other session is done",
        location=where,
    )


def _read_indexes(reader: _Reader, relations: Sequence[int]) -> tuple[_Index, ...]:
    """Read the indexes, once.  Where a colleague holds a table's lock, a predicate there stays unread."""
    if reader.indexes is None:
        reader.indexes = _indexes_of(reader, relations)
    return reader.indexes


def _indexes_of(reader: _Reader, relations: Sequence[int]) -> tuple[_Index, ...]:
    indexes = reader.rows(_Index, "check_indexes", {"relations": relations})
    partial = [i.oid for i in indexes if i.predicate is not None]
    if not partial:
        return indexes
    try:
        with reader.connection.transaction():
            found = reader.rows(_Predicate, "check_predicates", {"indexes": partial})
    except psycopg.errors.LockNotAvailable:
        return indexes
    texts = {p.oid: p.predicate for p in found}
    return tuple(replace(i, predicate=texts.get(i.oid, i.predicate)) for i in indexes)


def _unique(facts: _Facts, contract: Contract, indexes: Sequence[_Index], unique: RequiredUnique) -> Iterator[Finding]:
    shown, table = _full(unique.table, facts.schema), facts.table(unique.table)
    word = "PRIMARY KEY" if unique.is_primary else "UNIQUE"
    want = f"{word} ({_list(unique.columns)})"
    near: list[str] = []
    if table is not None:
        numbers = {c.name: c.number for c in facts.columns_of(table.oid).values()}
        wanted = {numbers.get(c, -1) for c in unique.columns}
        for index in (i for i in indexes if i.relation == table.oid and set(i.columns[: i.key_count]) == wanted):
            wrong = [
                text
                for text, is_so in (
                    ("not UNIQUE", not index.is_unique),
                    ("INVALID", not index.is_valid),
                    (f"WHERE {index.predicate}", index.predicate is not None),
                    ("DEFERRABLE", not index.is_immediate),
                    ("not PRIMARY KEY", unique.is_primary and not index.is_primary),
                    ("so named", unique.name is not None and unique.name not in (index.constraint_name, index.name)),
                )
                if is_so
            ]
            if not wrong:
                return
            near.append(f"index {identifier(index.name)} {', '.join(wrong)}")
    name = f"CONSTRAINT {identifier(unique.name)} " if unique.name else ""
    yield _finding(
        "unique-missing",
        f"{shown}({_list(unique.columns)})",
        f"{shown} has no valid {want}",
        have="; ".join(near) or NOTHING,
        want=want,
        help_=f"ALTER TABLE {shown} ADD {name}{want};",
        location=_at(contract, unique.line),
    )


def _index(facts: _Facts, contract: Contract, indexes: Sequence[_Index], index: RequiredIndex) -> Iterator[Finding]:
    shown, table = _full(index.table, facts.schema), facts.table(index.table)
    unique = "UNIQUE " if index.is_unique else ""
    tail = f" WHERE {index.where}" if index.where else ""
    want = f"{unique}INDEX ON {shown} USING {index.method} ({_list(index.columns)}){tail}"
    near: list[str] = []
    unread: _Index | None = None
    if table is not None:
        names = {c.number: c.name for c in facts.columns_of(table.oid).values()}
        for have in (i for i in indexes if i.relation == table.oid):
            same = tuple(names.get(n, "") for n in have.columns[: have.key_count]) == index.columns
            wrong = [
                text
                for text, is_so in (
                    ("INVALID", not have.is_valid),
                    ("not UNIQUE", index.is_unique and not have.is_unique),
                    ("UNIQUE", have.is_unique and not index.is_unique),
                    (have.method, have.method != index.method),
                    (
                        f"WHERE {have.predicate}",
                        _words(have.predicate or "") != _words(index.where or "")
                        and not (have.predicate == _UNREAD and index.where),
                    ),
                    (f"called {have.name}", index.name is not None and index.name != have.name),
                )
                if is_so
            ]
            if same and not wrong and have.predicate == _UNREAD:
                unread = have
            elif same and not wrong:
                return
            elif same or have.name == index.name:
                columns = _list(names.get(n, "…") for n in have.columns[: have.key_count])
                near.append(f"{identifier(have.name)} ({columns}) {', '.join(wrong)}".strip())
    if unread is not None:
        yield _locked(str(unread), f"the predicate of {unread}", want, _at(contract, index.line))
        return
    name = f"{identifier(index.name)} " if index.name else ""
    yield _finding(
        "required-index-missing",
        f"{shown}({_list(index.columns)})",
        f"{shown} has no such index",
        have="; ".join(near) or NOTHING,
        want=want,
        help_=f"CREATE {unique}INDEX CONCURRENTLY {name}ON {shown}"
        f" USING {index.method} ({_list(index.columns)}){tail};",
        location=_at(contract, index.line),
    )


def _check(facts: _Facts, contract: Contract, checks: Sequence[_Check], check_: RequiredCheck) -> Iterator[Finding]:
    shown, table, where = _full(check_.table, facts.schema), facts.table(check_.table), _at(contract, check_.line)
    name, want = identifier(check_.name), f"CHECK ({check_.expression or '…'})"
    have = next((c for c in checks if table is not None and c.relation == table.oid and c.name == check_.name), None)
    if have is None or (check_.expression is not None and _words(have.expression) != _words(check_.expression)):
        drop = f"DROP CONSTRAINT {name}, " if have else ""
        yield _finding(
            "check-missing",
            f"{shown} {name}",
            f"{shown} has no such check",
            have=f"CHECK ({have.expression})" if have else NOTHING,
            want=want,
            help_=f"ALTER TABLE {shown} {drop}ADD CONSTRAINT {name} {want};",
            location=where,
        )
    elif not (have.is_validated and have.is_enforced):
        state = "NOT VALID" if have.is_enforced else "NOT ENFORCED"
        yield _finding(
            "check-not-valid",
            f"{shown} {name}",
            f"{name} is {state}",
            have=f"CHECK ({have.expression}) {state}",
            want=want,
            help_=f"ALTER TABLE {shown} VALIDATE CONSTRAINT {name};"
            if have.is_enforced
            else f"ALTER TABLE {shown} DROP CONSTRAINT {name}, ADD CONSTRAINT {name} {want};",
            location=where,
        )


# --- information_schema -----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Views:
    summary: InformationSchema
    shown: Mapping[str, tuple[int, int, int, int]]


def _information_schema(reader: _Reader, facts: _Facts, contract: Contract) -> _Views | str:
    """Ask the views, or say why they do not answer: they never decide, so nothing about them is an error."""
    try:
        with reader.connection.transaction():
            return _views(reader, facts, contract)
    except psycopg.Error as error:
        if reader.connection.closed:
            raise
        return f"information_schema does not answer ({error.diag.message_primary}); pg_catalog alone decides"


def _views(reader: _Reader, facts: _Facts, contract: Contract) -> _Views:
    """Ask the views what the guide's queries ask: one by one, for their join takes minutes on a large catalog."""
    tables = sorted({k.table.name for k in contract.foreign_keys})
    constraints = reader.rows(_ViewKey, "check_view_keys", {"tables": tables})
    listed = Counter(c.name for c in constraints)
    names = sorted({*listed, *(k.name for k in contract.foreign_keys if k.name)})
    columns = {c.name: c.rows for c in reader.rows(_ViewCount, "check_view_columns", {"names": names})}
    targets = {c.name: c.rows for c in reader.rows(_ViewCount, "check_view_targets", {"names": names})}
    actions = Counter(a.name for a in reader.rows(_ViewAction, "check_view_actions", {"names": names}))
    known = None
    if facts.keys is not None:
        ours = [facts.table(n) for n in dict.fromkeys(k.table for k in contract.foreign_keys)]
        known = sum(len(facts.keys_on(t.oid)) for t in ours if t is not None)
    summary = InformationSchema(
        constraints=len(constraints),
        joined=sum(columns.get(c.name, 0) * targets.get(c.name, 0) for c in constraints),
        with_actions=sum(actions[n] for n in listed),
        catalog=known,
    )
    return _Views(summary, {n: (listed[n], columns.get(n, 0), targets.get(n, 0), actions[n]) for n in names})


# --- the ledger and drift ---------------------------------------------------------------------


def _ledger(database: Database, migrations: Migrations) -> tuple[list[Finding], list[Verified]]:
    from wflo_schema import engine

    try:
        status = engine.status(database, migrations)
    except CannotRead as error:
        message = f"the ledger may not be read: {error.message}"
        return [_finding("ledger-unreadable", "ledger", message, help_=error.hint)], [
            Verified("migration", m.id, "cannot tell", ("ledger-unreadable",)) for m in migrations
        ]
    said = (
        ("ledger-pending", status.pending, "not applied", "not recorded", "applied", "wflo-schema migrate"),
        (
            "ledger-changed",
            status.changed,
            "edited after it was applied",
            "another checksum",
            "the file as applied",
            "restore the file; put what is new into a new migration",
        ),
        (
            "ledger-missing",
            status.missing,
            "recorded as applied, and has no file",
            "no file",
            "its file",
            "restore the file",
        ),
        (
            "ledger-unknown",
            status.unknown,
            "recorded as applied, and newer than every file",
            "no file",
            "its file",
            "update the checkout",
        ),
    )
    findings, verified = [], [Verified("migration", e.id, "yes") for e in status.applied]
    for code, entries, message, have, want, mend in said:
        for entry in entries:
            location = Location(entry.path, 1) if entry.path else None
            findings.append(_finding(code, entry.id, message, have=have, want=want, help_=mend, location=location))
            verified.append(Verified("migration", entry.id, "no", (code,)))
    return findings, verified


def drift(
    database: Database, wanted: Catalog, *, schema: str | None = None, wanted_schema: str | None = None
) -> tuple[Finding, ...]:
    """Compare the target's catalog with that of the replayed migrations.  Never changes the target.

    ``schema`` limits both to one schema; ``wanted_schema`` is its name where they were replayed.
    """
    from wflo_schema import catalog

    with database.connect() as connection:
        ignore = catalog.LEDGER_TABLES | OTHER_LEDGERS
        have = catalog.read(connection, schemas=(schema,) if schema else None, ignore=ignore)
    names = {schema: wanted_schema} if schema and wanted_schema and schema != wanted_schema else None
    return tuple(
        _finding(
            "drift-cosmetic" if d.cosmetic else "drift",
            d.object,
            f"{d.kind} {d.object}"
            + (
                f" differs in {d.attribute}"
                if d.attribute
                else " is not there"
                if d.have == NOTHING
                else " is not made by the migrations"
            ),
            have=d.have,
            want=d.want,
            help_=d.mend,
        )
        for d in catalog.compare(have, wanted, ignore_schema_names=names)
    )


# --- orphan rows ------------------------------------------------------------------------------


def _raw(text: str) -> sql.SQL:
    """SQL that the server itself spelled out: an operator or a type's name."""
    return sql.SQL(text)


def _orphan_condition(facts: _Facts, key: RequiredKey, table: _Relation, target: _Relation) -> sql.Composed:
    """``f`` points nowhere, as the key itself would see it."""
    have = next((k for k in facts.keys_on(table.oid) if k.to_relation == target.oid and k.pairs == _pairs(key)), None)
    left, right = facts.columns_of(table.oid), facts.columns_of(target.oid)
    matches: list[sql.Composable] = []
    for a, b in zip(key.columns, key.to_columns, strict=True):
        one, other = left[a], right[b]
        mine: sql.Composable = sql.SQL("f.{}").format(sql.Identifier(a))
        its: sql.Composable = sql.SQL("r.{}").format(sql.Identifier(b))
        operator = sql.SQL("OPERATOR(pg_catalog.=)")
        if have is not None:
            place = next(n for n, pair in enumerate(zip(have.columns, have.to_columns, strict=True)) if pair == (a, b))
            operator = _raw(have.operators[place])
            types = (have.right_types[place], have.left_types[place])
        else:
            types = (
                ("text", "text")
                if _plain_type(one.type.partition("(")[0]) != _plain_type(other.type.partition("(")[0])
                else ("", "")
            )
        if key.period and a == key.columns[-1]:
            continue
        if types[0] and not types[0].startswith("any") and one.type != types[0]:
            mine = sql.SQL("CAST({} AS {})").format(mine, _raw(types[0]))
        if types[1] and not types[1].startswith("any") and other.type != types[1]:
            its = sql.SQL("CAST({} AS {})").format(its, _raw(types[1]))
        if one.collation != other.collation and other.collation and one.collation:
            mine = sql.SQL("({} COLLATE {})").format(mine, _raw(other.collation_name))
        matches.append(sql.SQL("{} {} {}").format(its, operator, mine))
    nulls = [sql.SQL("f.{} IS NULL").format(sql.Identifier(c)) for c in key.columns]
    only = sql.SQL("" if target.kind == "p" else "ONLY ")
    referenced = sql.Identifier(target.schema, target.name)
    if key.period:
        p, q = sql.Identifier(key.columns[-1]), sql.Identifier(key.to_columns[-1])
        where = sql.SQL(" AND ").join([*matches, sql.SQL("r.{} && f.{}").format(q, p)])
        nowhere = sql.SQL(
            "NOT coalesce(f.{} <@ (SELECT pg_catalog.range_agg(r.{}) FROM {}{} AS r WHERE {}), false)"
        ).format(p, q, only, referenced, where)
    else:
        nowhere = sql.SQL("NOT EXISTS (SELECT 1 FROM {}{} AS r WHERE {})").format(
            only, referenced, sql.SQL(" AND ").join(matches)
        )
    if key.match == "FULL" and len(key.columns) > 1:
        return sql.SQL("NOT ({}) AND ({} OR {})").format(
            sql.SQL(" AND ").join(nulls), sql.SQL(" OR ").join(nulls), nowhere
        )
    return sql.SQL("NOT ({}) AND {}").format(sql.SQL(" OR ").join(nulls), nowhere)


def _rows(
    reader: _Reader, facts: _Facts, contract: Contract, *, timeout_s: float, sample: int
) -> tuple[list[Finding], tuple[Orphans, ...]]:
    findings: list[Finding] = []
    orphans: list[Orphans] = []
    if any(c in _BASE for c in reader.unread):
        return [], ()
    deadline = time.monotonic() + timeout_s
    reader.connection.execute("SELECT pg_catalog.set_config('row_security', 'off', true)")
    for key in contract.foreign_keys:
        table, target = facts.table(key.table), facts.table(key.to_table)
        where = _at(contract, key.line)
        absent = [f for n in (key.table, key.to_table) for f in _absent(facts, contract, n, key.line)]
        for relation, columns in ((table, key.columns), (target, key.to_columns)):
            absent += [
                _finding(
                    "column-missing",
                    f"{relation}.{identifier(c)}",
                    f"{relation} has no column {identifier(c)}",
                    have=NOTHING,
                    want=f"column {identifier(c)}",
                    location=where,
                )
                for c in columns
                if relation is not None and c not in facts.columns_of(relation.oid)
            ]
        findings += [f for f in absent if (f.code, f.object) not in {(g.code, g.object) for g in findings}]
        if absent or table is None or target is None:
            continue
        found, one = _orphans_of(reader, facts, key, table, target, deadline, sample, where)
        findings += found
        orphans.append(one)
    return findings, tuple(orphans)


def _orphans_of(
    reader: _Reader,
    facts: _Facts,
    key: RequiredKey,
    table: _Relation,
    target: _Relation,
    deadline: float,
    sample: int,
    where: Location | None,
) -> tuple[list[Finding], Orphans]:
    condition = _orphan_condition(facts, key, table, target)
    source = sql.SQL("{} AS f").format(sql.Identifier(table.schema, table.name))
    # Not ONLY: the rows of inheritance children show in the table as well.
    columns = [sql.SQL("CAST(f.{} AS text)").format(sql.Identifier(c)) for c in key.columns]
    listing = sql.SQL("SELECT f.* FROM {} WHERE {}").format(source, condition).as_string(reader.connection) + ";"
    label = f"{table} {identifier(key.name)}" if key.name else f"{table}({_list(key.columns)})"
    want = _wanted(facts, key)
    empty = Orphans(key.name or key.source, key.source, key.target, None, (), listing)
    rows: tuple[tuple[str | None, ...], ...] = ()
    try:
        with reader.connection.transaction():
            _bound(reader.connection, deadline)
            rows = tuple(
                tuple(row)
                for row in reader.connection.execute(
                    sql.SQL("SELECT {} FROM {} WHERE {} LIMIT {}").format(
                        sql.SQL(", ").join(columns), source, condition, sql.Literal(max(sample, 1))
                    )
                ).fetchall()
            )
            count: int | None = len(rows)
            if len(rows) >= max(sample, 1):
                _bound(reader.connection, deadline)
                row = reader.connection.execute(
                    sql.SQL("SELECT count(*) FROM {} WHERE {}").format(source, condition)
                ).fetchone()
                count = int(row[0]) if row else None
    except psycopg.Error as error:
        if reader.connection.closed:
            raise
        count = None
        if not rows:
            return [_unreadable(reader, error, table, target, label, want, where)], empty
    if count == 0:
        return [], replace(empty, count=0)
    delete = sql.SQL("DELETE FROM {} WHERE {}").format(source, condition).as_string(reader.connection) + ";"
    nulled = ", ".join(f"{identifier(c)} = NULL" for c in (key.set_columns or key.columns))
    update = (
        sql.SQL("UPDATE {} SET {} WHERE {}").format(source, _raw(nulled), condition).as_string(reader.connection) + ";"
    )
    may_be_null = any(facts.columns_of(table.oid)[c].is_nullable for c in key.columns)
    repairs = (
        delete,
        *((update,) if may_be_null else ()),
        f"INSERT INTO {target} ({_list(key.to_columns)}, …) VALUES …;",
    )
    shown = "; ".join(", ".join("NULL" if v is None else repr(v) for v in row) for row in rows[:sample])
    number = f"at least {len(rows)}" if count is None else str(count)
    noun = "row points" if count == 1 else "rows point"
    message = f"{number} {noun} nowhere" + (f": ({_list(key.columns)}) = {shown}" if shown else "")
    return [
        _finding(
            "orphan-rows",
            label,
            message,
            have=f"{number} orphan row{'' if count == 1 else 's'}",
            want=want,
            help_=listing,
            location=where,
        )
    ], replace(empty, count=count, sample=rows[:sample], repairs=repairs)


def _bound(connection: psycopg.Connection[TupleRow], deadline: float) -> None:
    """Give the next statement what is left of the time; at least a millisecond, for 0 would mean no limit."""
    left = max(1, round((deadline - time.monotonic()) * 1000))
    connection.execute(
        "SELECT pg_catalog.set_config('statement_timeout', %s, true), pg_catalog.set_config('lock_timeout', %s, true)",
        (str(left), str(min(left, _LOCK_TIMEOUT_MS))),
    )


def _unreadable(
    reader: _Reader,
    error: psycopg.Error,
    table: _Relation,
    target: _Relation,
    label: str,
    want: str,
    where: Location | None,
) -> Finding:
    said = error.diag.message_primary or str(error)
    if error.sqlstate == "57014":
        return _finding(
            "rows-unfinished",
            label,
            "the time given ran out before all rows were read",
            want=want,
            help_="give it longer: --timeout SECONDS",
            location=where,
        )
    if error.sqlstate == "55P03":
        return _finding(
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
    return _finding("rows-unreadable", label, f"the rows cannot be read: {said}", want=want, help_=mend, location=where)


# --- indexes ----------------------------------------------------------------------------------


def _indexes(reader: _Reader, facts: _Facts, contract: Contract) -> Iterator[Finding]:
    if any(c in _BASE for c in reader.unread) or not reader.can("pg_index", "pg_am", "pg_constraint"):
        return
    indexes = _read_indexes(reader, [r.oid for r in facts.relations])
    for key in contract.foreign_keys:
        table = facts.table(key.table)
        if table is None:
            continue
        for store in facts.stores(table):
            columns = facts.columns_of(store.oid)
            if any(c not in columns for c in key.columns):
                continue
            wanted = {columns[c].number: columns[c] for c in key.columns}
            if not any(i.relation == store.oid and _serves(i, wanted) for i in indexes):
                name = identifier(f"ix_{store.name}_{'_'.join(key.columns)}"[:63])
                yield _finding(
                    "index-missing",
                    f"{store}({_list(key.columns)})",
                    f"no index leads with {_list(key.columns)}: each delete from {_full(key.to_table, facts.schema)} "
                    f"reads all of {store}",
                    have=NOTHING,
                    want=f"INDEX ON {store} ({_list(key.columns)})",
                    help_=f"CREATE INDEX CONCURRENTLY {name} ON {store} ({_list(key.columns)});",
                    location=_at(contract, key.line),
                )
    shown = {r.oid: str(r) for r in facts.relations}
    roots = {r.oid for r in facts.relations if r.oid == r.root}
    for index in indexes:
        if not index.is_valid:
            yield _finding(
                "index-invalid",
                str(index),
                f"{index} on {shown[index.relation]} is INVALID",
                have="INVALID",
                want="a valid index",
                help_=f"REINDEX INDEX CONCURRENTLY {index};",
            )
    seen: dict[tuple[object, ...], _Index] = {}
    for index in sorted(indexes, key=lambda i: (not i.is_primary, not i.is_of_constraint, not i.is_unique, i.name)):
        same = (
            index.relation,
            index.method,
            tuple(index.columns),
            index.key_count,
            tuple(index.collations),
            index.shape,
            index.predicate,
        )
        if index.relation not in roots or not index.is_valid or index.predicate == _UNREAD:
            continue
        first = seen.setdefault(same, index)
        if first is not index:
            drop = (
                f"ALTER TABLE {shown[index.relation]}"
                f" DROP CONSTRAINT {identifier(index.constraint_name or index.name)};"
                if index.is_of_constraint
                else f"DROP INDEX CONCURRENTLY {index};"
            )
            yield _finding(
                "index-duplicate",
                str(index),
                f"{index} is the same as {first}",
                have=f"{identifier(first.name)} and {identifier(index.name)} on {shown[index.relation]}",
                want="one of them",
                help_=drop,
            )


_NOT_NULL = re.compile(r'\(*\s*(?:"(?:[^"]|"")+"|\w+) IS NOT NULL\s*\)*', re.IGNORECASE)


def _serves(index: _Index, wanted: Mapping[int, _Column]) -> bool:
    """Whether a cascade can find its rows with this index."""
    leading = index.columns[: index.key_count][: len(wanted)]
    if not index.is_valid or index.method not in ("btree", "hash") or set(leading) != set(wanted):
        return False
    if any(
        c and wanted[n].collation and c != wanted[n].collation for n, c in zip(leading, index.collations, strict=False)
    ):
        return False
    if index.predicate is None or index.predicate == _UNREAD:
        return True
    names = {identifier(c.name) for c in wanted.values()}
    parts = re.split(r"\s+AND\s+", index.predicate)
    return all(_NOT_NULL.fullmatch(p) and p.strip("() ")[: -len(" IS NOT NULL")].strip("() ") in names for p in parts)


OTHER_LEDGERS = frozenset(
    {
        "alembic_version",
        "ar_internal_metadata",
        "django_migrations",
        "flyway_schema_history",
        "goose_db_version",
        "schema_migrations",
    }
)
# What other tools record their migrations in: no contract should require it, and an adopted database keeps it.


# --- freeze -----------------------------------------------------------------------------------


def freeze(database: Database, *, schema: str | None = None) -> str:
    """Write a contract of all tables of one schema: keys, unique and check constraints, indexes, columns.

    ``schema`` None means the target's, else the first of its search_path that holds a table.  Ledgers and
    what belongs to extensions are left out.  What it writes is read back by `contract.parse` and holds.

    A foreign key that is not validated or not enforced cannot be required and becomes a comment.

    Raise `CannotRead` when a catalog may not be read, `Refused` when the schema holds no table.
    """
    from wflo_schema.catalog import LEDGER_TABLES

    with database.connect(autocommit=False) as connection:
        try:
            reader, search_path = _begin(connection)
            if not reader.can(*_BASE, "pg_attrdef", "pg_constraint", "pg_operator", "pg_index", "pg_am"):
                grants = " ".join(f.help for f in _unseen(reader))
                raise CannotRead(
                    f"{reader.session.role} may not read {', '.join(reader.unread)}", hint=grants, sqlstate="42501"
                )
            given = schema or database.schema
            path = (given,) if given else (*_path_schemas(search_path, reader.session.role), "public")
            ignore = sorted(LEDGER_TABLES | OTHER_LEDGERS)
            for where in path:
                named = reader.rows(_Named, "check_frozen_tables", {"schema": where, "ignore": ignore})
                if named:
                    break
            connection.execute("SELECT pg_catalog.set_config('search_path', %s, true)", (identifier(where),))
            relations = [n.oid for n in named]
            keys = reader.rows(_Key, "check_keys", {"relations": relations})
            columns = reader.rows(_Column, "check_columns", {"relations": relations})
            defaults = _read_defaults(reader, relations)
            if defaults is None:
                raise CannotRead(
                    "the defaults cannot be read: another session holds a lock on a table",
                    hint="run it again when the other session is done",
                )
            indexes = _read_indexes(reader, relations)
            checks = reader.rows(_Check, "check_checks", {"relations": relations})
            weak_not_nulls = _read_weak_not_nulls(reader, relations)
        except psycopg.Error as error:
            raise database_error(error, "reading the catalog") from error
    if not named:
        raise Refused(f"the schema {where} of {database.label} has no table", hint="name another one with --schema")
    facts = _Facts(where, True, named, (), columns, keys, None, None, None, None)
    names = {n.oid: Name(n.name) for n in named}
    required = [
        RequiredKey(
            k.name,
            names[k.relation],
            tuple(k.columns),
            Name(k.to_table, None if k.to_schema == where else k.to_schema),
            tuple(k.to_columns),
            _ACTIONS[k.on_delete],
            tuple(k.set_columns),
            _ACTIONS[k.on_update],
            _MATCHES[k.match],
            k.deferrable,
            k.is_period,
        )
        for n in named
        for k in facts.keys_on(n.oid)
        if k.is_validated and k.is_enforced
    ]
    weak = [
        f"Not required here, for it is {'NOT VALID' if k.is_enforced else 'NOT ENFORCED'}: {identifier(k.name)}, {k}"
        for n in named
        for k in facts.keys_on(n.oid)
        if not (k.is_validated and k.is_enforced)
    ]
    contract = Contract(
        where,
        tuple(RequiredTable(Name(n.name)) for n in named),
        tuple(_once(required)),
        tuple(
            RequiredColumn(
                names[c.relation],
                c.name,
                c.type,
                None if (c.relation, c.number) in weak_not_nulls else c.is_nullable,
                defaults.get((c.relation, c.number)),
            )
            for n in named
            for c in columns
            if c.relation == n.oid
        ),
        tuple(_frozen_uniques(names, facts, indexes)),
        tuple(
            RequiredCheck(c.name, names[c.relation], c.expression) for c in checks if c.is_validated and c.is_enforced
        ),
        tuple(_frozen_indexes(names, facts, indexes)),
    )
    title = f"What schema {where} of database {reader.session.database} had when this was written."
    return render(contract, comment="\n".join((title, *weak)))


def _once(keys: Iterable[RequiredKey]) -> Iterator[RequiredKey]:
    """Leave out keys that are there twice: a contract requires each once."""
    seen = set()
    for key in keys:
        what = (key.table, frozenset(_pairs(key).items()), key.to_table)
        if what not in seen:
            seen.add(what)
            yield key


def _frozen_uniques(names: Mapping[int, Name], facts: _Facts, indexes: Iterable[_Index]) -> Iterator[RequiredUnique]:
    seen = set()
    for index in indexes:
        by_number = {c.number: c.name for c in facts.columns if c.relation == index.relation}
        columns = tuple(by_number.get(n, "") for n in index.columns[: index.key_count])
        plain = (
            index.is_unique and index.is_valid and index.is_immediate and index.predicate is None and "" not in columns
        )
        if plain and (index.relation, frozenset(columns)) not in seen:
            seen.add((index.relation, frozenset(columns)))
            yield RequiredUnique(index.constraint_name or index.name, names[index.relation], columns, index.is_primary)


def _frozen_indexes(names: Mapping[int, Name], facts: _Facts, indexes: Iterable[_Index]) -> Iterator[RequiredIndex]:
    for index in indexes:
        by_number = {c.number: c.name for c in facts.columns if c.relation == index.relation}
        columns = tuple(by_number.get(n, "") for n in index.columns[: index.key_count])
        is_plain_unique = index.is_unique and index.predicate is None
        if index.is_valid and "" not in columns and not index.is_of_constraint and not is_plain_unique:
            yield RequiredIndex(
                index.name, names[index.relation], columns, index.is_unique, index.method, index.predicate
            )

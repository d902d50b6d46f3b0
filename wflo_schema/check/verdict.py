"""Say whether a database is what its contract and its migrations say, section by section.

Hides in which order everything is asked, that one snapshot answers it, and how findings become a verdict.
What is required is judged by `tables` and `foreign_key`; this module puts the answers together.  Reads only.
"""

from __future__ import annotations

import contextlib
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import psycopg
from psycopg.rows import TupleRow

from wflo_schema.check import distribution, foreign_key, orphans, replica, tables
from wflo_schema.check.allowances import Allowances, Allowed
from wflo_schema.check.contract import Contract
from wflo_schema.check.distribution import Distribution
from wflo_schema.check.facts import (
    BASE,
    Facts,
    Reader,
    begin_reading,
    by_relation,
    can_read_not_nulls,
    namesakes,
    read_checks,
    read_facts,
    read_indexes,
    read_weak_not_nulls,
    unseen,
    usable_path,
)
from wflo_schema.check.orphans import Orphans
from wflo_schema.check.rules import MIGRATE, NOTHING, UNREADABLE, finding, remedy_of, section_of
from wflo_schema.connect.database import LOCK_TIMEOUT_MS, PATIENT, Database, database_error
from wflo_schema.connect.queries import load_sql
from wflo_schema.connect.schemas import refuse_missing_schema
from wflo_schema.errors import CannotRead, DatabaseError, Refused, UsageError, WfloSchemaError
from wflo_schema.files.directives import Phase
from wflo_schema.findings import Finding, Location, Severity
from wflo_schema.names import identifiers, qualified, quote
from wflo_schema.words import counted, listed, plural, release

if TYPE_CHECKING:
    from wflo_schema.catalog.objects import Catalog, Object
    from wflo_schema.engine.operations import RunsIn
    from wflo_schema.engine.planning import Status
    from wflo_schema.files.folder import Migrations

SECTIONS = ("contract", "ledger", "rows", "drift", "indexes")
DEFAULT_SECTIONS = ("contract", "ledger", "indexes")
# The sections that need a contract and share one snapshot.
_OF_THE_CONTRACT = frozenset({"contract", "rows", "indexes"})

# Seconds for the orphan rows of all keys together; long enough for millions of rows on a laptop.
ROWS_TIMEOUT_S = 60.0


@dataclass(frozen=True, slots=True)
class Verified:
    """One requirement and its verdict: ``yes``, ``no`` or ``cannot tell``; ``codes`` are its findings'.

    ``kind`` is table, distributed schema, distribution, foreign key, column, unique, check, index or migration.  For a
    foreign key
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
    _findings: tuple[Finding, ...] = field(default=(), repr=False, compare=False)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was found of it, allowed or not."""
        return self._findings

    def changed(self, how: Callable[[Finding], Finding]) -> Verified:
        """The same, with every finding said otherwise."""
        return replace(self, _findings=tuple(how(f) for f in self._findings))


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
    allowed: tuple[Allowed, ...] = ()
    """Findings that the contract allows: they are not among the others and do not count."""
    fail_on: Severity = Severity.ERROR
    duration_ms: int = 0
    source: str = ""
    """What the caller took ``wanted`` from: the folders of the migrations, or a file."""

    def changed(self, how: Callable[[Finding], Finding]) -> CheckResult:
        """The same, with every finding said otherwise."""
        return replace(
            self,
            findings=tuple(how(f) for f in self.findings),
            verified=tuple(v.changed(how) for v in self.verified),
        )

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


@dataclass(frozen=True, slots=True)
class Drift:
    """In what a catalog is not what it should be, found out beforehand: what several targets share is found once.

    ``names`` are those of the objects that it should have, None where that does not matter.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    names: frozenset[str] | None = None


# many parameters: what can be chosen of a check, each with its default
# long: its promises, and one call for each section
def check_database(
    database: Database,
    contract: Contract | None,
    *,
    migrations: Migrations | None = None,
    only: Sequence[str] = DEFAULT_SECTIONS,
    rows_timeout_s: float = ROWS_TIMEOUT_S,
    sample: int = 5,
    wanted: Catalog | None = None,
    privileges: bool = False,
    fail_on: Severity = Severity.ERROR,
    phase: Phase | None = None,
    drift: Drift | None = None,
    with_views: bool = True,
    runs_in: RunsIn | None = None,
) -> CheckResult:
    """Verify the sections ``only`` of: contract, ledger, rows, drift, indexes.  Reads only.

    ``contract`` is needed for contract, rows and indexes, and allows findings of all; ``migrations`` for ledger,
    ``wanted`` (the catalog of a scratch database in which the migrations were replayed) for drift.  All of contract,
    rows and indexes is read in one snapshot.  Says yes to a key only if all that bears on it was read and enforces it.
    With the ``phase`` before the deploy, what is pending for after it is no finding.
    ``drift``: what is known of the catalog, which is then not read; ``runs_in``: the session that reads the ledger.
    ``with_views`` False: information_schema, which never decides, is not asked: it looks through all schemas.

    Raise `UsageError` for an unknown section or one whose material is not given, `ConnectionFailed` or `DatabaseError`
    when the server is not there or goes away while the contract is checked, `Refused` where there is no such schema.
    A ledger or a drift that cannot be read is a finding, so that what the other sections found is not lost.
    """
    started = time.monotonic()
    sections = _sections(only, contract, migrations, wanted or drift)
    refuse_missing_schema(database)
    is_held = contract is not None and bool(_OF_THE_CONTRACT & set(sections))
    own = contract.schema if contract is not None and is_held else None
    if contract is not None and database.schema is not None:
        contract = contract.without_schema()
    answer = _Answer(database.schema or own or "", Allowances(contract))
    if own and database.schema and own != database.schema:
        answer.notes.append(f"the contract is of schema {own}, and schema {database.schema} is held to it")
    answer.with_views = with_views
    with database.connect(autocommit=False, settings=PATIENT) as connection:
        answer.role, answer.version = database.role or connection.info.user, connection.info.server_version
        at_ledger = _at_ledger(answer, connection, database) if "ledger" in sections else database
        if contract is not None and is_held:
            with _giving_up(answer, contract):
                _check_contract(answer, connection, database, contract, sections, rows_timeout_s, sample)
    if migrations is not None and "ledger" in sections:
        if at_ledger is None:  # the contract's tables were found outside the search_path: look for the ledger there
            beside = answer.schema if contract is not None and contract.schema is None else ""
            at_ledger = database.with_schema(beside or "public")
        status = _check_ledger(answer, at_ledger, migrations, phase, runs_in if at_ledger == database else None)
        if status is not None:
            answer.change(lambda found: _mended_by(found, status))
    names = None
    if drift is not None:
        answer.findings += drift.findings
        answer.notes += drift.notes
        names = drift.names
    elif wanted is not None and "drift" in sections:
        answer.findings += _drift(answer, database, wanted, privileges=privileges)
        names = names_in(wanted)
    findings = answer.allow.sift(answer.findings)
    findings += answer.allow.sift(_unused(answer, database, sections, None if privileges else names))
    return CheckResult(
        label=database.label,
        schema=answer.schema,
        server_version=release(answer.version),
        role=answer.role,
        sections=sections,
        findings=tuple(findings),
        verified=tuple(answer.verified),
        information_schema=answer.summary,
        orphans=answer.orphans,
        notes=tuple(answer.notes),
        allowed=tuple(answer.allow.allowed),
        fail_on=fail_on,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def names_in(catalog: Catalog) -> frozenset[str]:
    """The names of all that is in a catalog."""
    return frozenset(o.name for o in catalog.objects)


def _unused(
    answer: _Answer, database: Database, sections: Sequence[str], ungranted: frozenset[str] | None
) -> Iterator[Finding]:
    """The allowances that allow nothing of what this run looked at."""
    unread = frozenset[str]().union(*(section_of(f.code) for f in answer.findings if f.code in UNREADABLE))
    names = answer.allow.contract.names if answer.allow.contract else ()
    looked_in = filter(None, (database.schema, answer.schema, *(n.schema for n in names)))
    return answer.allow.unused(
        frozenset(sections) - unread,
        schemas=frozenset(looked_in) if database.schema else None,
        ungranted=ungranted,
    )


def _at_ledger(answer: _Answer, connection: psycopg.Connection[TupleRow], database: Database) -> Database | None:
    """The target to look for the ledger in; None where the search_path leads nowhere.

    A schema that holds tables and no ledger shares the one that the search_path leads to.
    """
    try:
        path = usable_path(connection)
        if database.schema is None or database.ledger_schema is not None:
            return database if path or database.ledger_schema is not None else None
        asked = {"schema": database.schema, "path": list(path)}
        row = connection.execute(load_sql("check", "ledger_places"), asked).fetchone()
    except psycopg.errors.InsufficientPrivilege:
        return database  # what cannot be read is said where it is read
    finally:
        connection.rollback()
    is_here, has_tables, elsewhere = row or (True, False, None)
    if is_here or not has_tables or elsewhere is None:
        return database
    answer.notes.append(f"schema {database.schema} has no ledger: check reads that of {elsewhere}, on the search_path")
    return database.with_schema(str(elsewhere))


def _drift(answer: _Answer, database: Database, wanted: Catalog, *, privileges: bool) -> Iterable[Finding]:
    answer.notes += wanted.notes_of_version(answer.version)
    try:
        return check_drift(database, wanted, schema=database.schema, privileges=privileges)
    except DatabaseError as error:  # what the other sections found still counts
        return (not_compared(error),)


def not_compared(error: WfloSchemaError) -> Finding:
    """That a catalog could not be compared, and why."""
    return finding("cannot-see", "drift", f"the catalog cannot be compared: {error.message}", help_=error.hint)


@dataclass(slots=True)
class _Answer:
    """What has been found so far."""

    schema: str
    allow: Allowances
    with_views: bool = True
    role: str = ""
    version: int = 0
    findings: list[Finding] = field(default_factory=list)
    verified: list[Verified] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    summary: InformationSchema | None = None
    orphans: tuple[Orphans, ...] = ()

    def change(self, how: Callable[[Finding], Finding]) -> None:
        """Say every finding otherwise, wherever it stands."""
        self.findings = [how(f) for f in self.findings]
        self.verified = [v.changed(how) for v in self.verified]

    def of_migration(self, found: Finding, id_: str) -> None:
        """A finding that settles the verdict on a migration, unless it is allowed."""
        self.findings.append(found)
        verdict = "yes" if self.allow.allows(found) else "no"
        self.verified.append(Verified("migration", id_, verdict, (found.code,), _findings=(found,)))


def _sections(
    only: Sequence[str], contract: Contract | None, migrations: Migrations | None, wanted: Catalog | Drift | None
) -> tuple[str, ...]:
    unknown = [s for s in only if s not in SECTIONS]
    if unknown or not only:
        raise UsageError(
            f"there is no section {', '.join(unknown) or 'given'}", hint=f"the sections are: {', '.join(SECTIONS)}"
        )
    given = {"ledger": migrations, "drift": wanted, "contract": contract, "rows": contract, "indexes": contract}
    sections = tuple(s for s in SECTIONS if s in only)
    for section in sections:
        if given[section] is None:
            needs = {"ledger": "the migrations", "drift": "the replayed migrations"}.get(section, "a contract")
            raise UsageError(
                f"the section {section} needs {needs}", hint="give it, or choose other sections with --only"
            )
    return sections


@contextlib.contextmanager
def _giving_up(answer: _Answer, contract: Contract) -> Iterator[None]:
    """What this role may not see ends the look at the contract, and is said."""
    try:
        yield
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.LockNotAvailable) as error:
        _give_up(answer, contract, error)
    except psycopg.Error as error:
        raise database_error(error, "checking the contract") from error


def _check_contract(
    answer: _Answer,
    connection: psycopg.Connection[TupleRow],
    database: Database,
    contract: Contract,
    sections: Sequence[str],
    rows_timeout_s: float,
    sample: int,
) -> None:
    """The sections contract, rows and indexes, in one snapshot."""
    if not (contract.names or contract.is_schema_distributed):
        answer.notes.append(f"{contract.path} requires nothing: it holds allowances alone")
        return
    reader = begin_reading(connection)
    answer.role = reader.session.role
    facts = read_facts(reader, contract, schema=database.schema, deep="contract" in sections)
    answer.schema = facts.schema
    shards = bool({"contract", "indexes"} & set(sections))
    dist = distribution.read(reader, facts, contract, shards=shards) if shards else distribution.Distribution()
    if not (contract.schema or database.schema):
        answer.findings += _ambiguous(reader, facts, contract)
    if "contract" in sections:
        verdicts = _verdicts(reader, facts, contract, dist, answer.allow)
        answer.findings += verdicts.findings
        views = _information_schema(reader, facts, contract) if answer.with_views else ""
        if isinstance(views, str):
            answer.notes += [views] * bool(views)
            answer.verified += verdicts.verified
        else:
            answer.summary = views.summary
            answer.verified += [replace(v, shown=views.shown.get(v.name)) if v.source else v for v in verdicts.verified]
    if "rows" in sections:
        found, answer.orphans = orphans.of_contract(reader, facts, contract, timeout_s=rows_timeout_s, sample=sample)
        answer.findings += found
    if "indexes" in sections:
        told = {f.object for f in answer.findings if f.code in ("required-index-missing", "unique-missing")}
        indexes = _indexes(reader, facts, contract, dist)
        answer.findings += [f for f in indexes if f.code != "index-missing" or f.object not in told]
    answer.findings += unseen(reader)
    told_once: dict[tuple[str, str, str], Finding] = {}
    for found_ in answer.findings:  # wherever it was met, it is one fault
        told_once.setdefault((found_.code, found_.object, found_.message), found_)
    answer.findings = list(told_once.values())


def _ambiguous(reader: Reader, facts: Facts, contract: Contract) -> Iterator[Finding]:
    """Schemas of the search_path that hold tables of the contract beside the schema that is judged."""
    judged = quote(facts.schema)
    for schema, names in namesakes(reader, contract, facts).items():
        shown = listed(qualified(schema, n) for n in names)
        yield finding(
            "table-ambiguous",
            quote(schema),
            f"schema {judged} is checked; {shown} {plural(len(names), 'is', 'are')} on the search_path as well",
            have=f"{identifiers((facts.schema, schema))} on the search_path {reader.search_path}",
            want="one schema",
            help_=f"write schema = '{judged}' below [contract], or give --schema",
        )


def _give_up(answer: _Answer, contract: Contract, error: psycopg.Error) -> None:
    """Say what PostgreSQL denied this role in its own catalog; what was verified before stays."""
    said = error.diag.message_primary or ""
    if isinstance(error, psycopg.errors.LockNotAvailable):
        message = f"another session holds a lock on what is needed: {said}"
        mend = "run it again when the other session is done"
    else:
        message, mend = f"this role may not read what is needed: {said}", _grant(said, quote(answer.role))
    answer.findings.append(finding("cannot-see", "pg_catalog", message, help_=mend))
    answer.verified = answer.verified or list(_all_unknown(contract, Facts(answer.schema)))


def _grant(said: str, role: str) -> str:
    """What gives a role what PostgreSQL denied it in its own catalog and what all roles have by default."""
    match = re.search(r"(schema|function) (\w+)$", said)
    if match is None:
        return ""
    if match[1] == "schema":
        return f"GRANT USAGE ON SCHEMA {match[2]} TO {role};"
    return f"GRANT EXECUTE ON FUNCTION pg_catalog.{match[2]} TO {role};"


def _all_unknown(contract: Contract, facts: Facts) -> Iterator[Verified]:
    for table in contract.tables:
        yield Verified("table", facts.full(table.name), "cannot tell", ("cannot-see",))
    for key in contract.foreign_keys:
        yield Verified("foreign key", key.name or key.source, "cannot tell", ("cannot-see",), key.source, key.target)


@dataclass(slots=True)
class _Verdicts:
    allow: Allowances
    findings: dict[Finding, None] = field(default_factory=dict)
    verified: list[Verified] = field(default_factory=list)

    def tell(self, found: Iterable[Finding]) -> None:
        """Add what was found, each once, in order."""
        self.findings.update(dict.fromkeys(found))

    def settle(
        self, kind: str, name: str, found: Iterable[Finding], *, can_tell: bool, source: str = "", target: str = ""
    ) -> None:
        """Make the verdict on one requirement: an error is a certain no, yes needs all to have been seen."""
        mine = list(found)
        self.tell(mine)
        weights = {f.severity for f in mine if not self.allow.allows(f)}
        certain = Severity.ERROR in weights
        can_tell = can_tell and Severity.UNKNOWN not in weights
        verdict = "no" if certain else "yes" if can_tell else "cannot tell"
        codes = tuple(dict.fromkeys(f.code for f in mine))
        self.verified.append(Verified(kind, name, verdict, codes, source, target, _findings=tuple(mine)))


def _verdicts(reader: Reader, facts: Facts, contract: Contract, dist: Distribution, allow: Allowances) -> _Verdicts:
    if reader.unread and not facts.relations and any(c in BASE for c in reader.unread):
        return _Verdicts(allow, verified=list(_all_unknown(contract, facts)))
    verdicts = _Verdicts(allow)
    if not facts.has_schema:
        verdicts.tell(
            [
                finding(
                    "schema-missing",
                    quote(facts.schema),
                    f"there is no schema {facts.schema} in database {reader.session.database}",
                    have=NOTHING,
                    want=f"schema {quote(facts.schema)}",
                    help_=MIGRATE if not contract.schema else "",
                )
            ]
        )
    if contract.is_schema_distributed:
        found = distribution.judge_schema(dist, facts, contract)
        verdicts.settle("distributed schema", quote(facts.schema), found, can_tell=dist.is_read)
    for table in contract.tables:
        mine = [*tables.judge_table(facts, contract, table), *distribution.judge_shards(dist, facts, table.name)]
        verdicts.settle("table", facts.full(table.name), mine, can_tell=True)
    for required in contract.distributions:
        found = distribution.judge_table(dist, facts, contract, required)
        verdicts.settle("distribution", facts.full(required.table), found, can_tell=dist.is_read)
    for name in contract.names:
        verdicts.tell(distribution.judge_shards(dist, facts, name))
    verdicts.tell(replica.judge_subscriptions(reader, facts))
    everywhere = [*replica.judge_sessions(reader, facts), *distribution.judge_nodes(dist)]
    verdicts.tell(everywhere)
    for key in contract.foreign_keys:
        mine = [] if facts.keys is None else list(foreign_key.judge(facts, contract, key))
        mine += distribution.judge_key(dist, facts, key)
        verdicts.settle(
            "foreign key",
            key.name or key.source,
            [*mine, *everywhere],
            can_tell=facts.is_everything_read and dist.is_read,
            source=key.source,
            target=key.target,
        )
    _settle_columns(verdicts, reader, facts, contract, dist)
    _settle_indexes(verdicts, reader, facts, contract, dist)
    _settle_checks(verdicts, reader, facts, contract, dist)
    return verdicts


def _settle_columns(verdicts: _Verdicts, reader: Reader, facts: Facts, contract: Contract, dist: Distribution) -> None:
    can = not any(c.is_nullable is False for c in contract.columns) or can_read_not_nulls(reader)
    weak = read_weak_not_nulls(reader, facts.everywhere) if can and contract.columns else {}
    for column in contract.columns:
        verdicts.settle(
            "column",
            f"{facts.full(column.table)}.{quote(column.name)}",
            [
                *tables.judge_column(reader, facts, contract, column, weak),
                *distribution.judge_shards(dist, facts, column.table),
            ],
            can_tell=can or column.is_nullable is not False,
        )


def _settle_indexes(verdicts: _Verdicts, reader: Reader, facts: Facts, contract: Contract, dist: Distribution) -> None:
    if not (contract.uniques or contract.indexes):
        return
    can = reader.can("pg_index", "pg_am", "pg_constraint")
    there = by_relation(read_indexes(reader, facts.everywhere) if can else ())
    for unique in contract.uniques:
        name = unique.name or f"{facts.full(unique.table)}({identifiers(unique.columns)})"
        found = [*tables.judge_unique(facts, contract, there, unique)] if can else []
        found += distribution.judge_index(dist, tables.indexes_on(facts, there, unique))
        verdicts.settle("unique", name, found, can_tell=can)
    for index in contract.indexes:
        name = index.name or f"{facts.full(index.table)}({identifiers(index.columns)})"
        found = [*tables.judge_index(reader, facts, contract, there, index)] if can else []
        found += distribution.judge_index(dist, tables.indexes_on(facts, there, index))
        verdicts.settle("index", name, found, can_tell=can)


def _settle_checks(verdicts: _Verdicts, reader: Reader, facts: Facts, contract: Contract, dist: Distribution) -> None:
    if not contract.checks:
        return
    can = reader.can("pg_constraint")
    there = by_relation(read_checks(reader, facts.everywhere) if can else ())
    for required in contract.checks:
        found = [*tables.judge_check(reader, facts, contract, there, required)] if can else []
        found += distribution.judge_checks(dist, facts, required.table)
        verdicts.settle("check", required.name, found, can_tell=can)


@dataclass(frozen=True, slots=True)
class _Views:
    summary: InformationSchema
    shown: Mapping[str, tuple[int, int, int, int]]


def _information_schema(reader: Reader, facts: Facts, contract: Contract) -> _Views | str:
    """Ask the views, or say why they do not answer: they never decide, so nothing about them is an error."""
    try:
        with reader.connection.transaction():
            return _views(reader, facts, contract)
    except psycopg.Error as error:
        if reader.connection.closed:
            raise
        return f"information_schema does not answer ({error.diag.message_primary}); pg_catalog alone decides"


def _views(reader: Reader, facts: Facts, contract: Contract) -> _Views:
    """Ask the views what the guide's queries ask: one by one, as their join takes minutes on a large catalog."""

    def count(view: str, **parameters: list[str]) -> Counter[str]:
        """How many rows the view shows for each name."""
        rows = reader.connection.execute(load_sql("check", view, reader.session.version), parameters).fetchall()
        return Counter({str(row[0]): int(row[1]) for row in rows})

    listed = count("view_keys", tables=sorted({k.table.name for k in contract.foreign_keys}))
    names = sorted({*listed, *(k.name for k in contract.foreign_keys if k.name)})
    columns = count("view_columns", names=names)
    targets = count("view_targets", names=names)
    actions = count("view_actions", names=names)
    known = None
    if facts.keys is not None:
        ours = [facts.table(n) for n in dict.fromkeys(k.table for k in contract.foreign_keys)]
        known = sum(len(facts.keys_on(t.oid)) for t in ours if t is not None)
    summary = InformationSchema(
        constraints=listed.total(),
        joined=sum(number * columns[n] * targets[n] for n, number in listed.items()),
        with_actions=sum(actions[n] for n in listed),
        catalog=known,
    )
    return _Views(summary, {n: (listed[n], columns[n], targets[n], actions[n]) for n in names})


def _indexes(reader: Reader, facts: Facts, contract: Contract, dist: Distribution) -> Iterator[Finding]:
    if any(c in BASE for c in reader.unread) or not reader.can("pg_index", "pg_am", "pg_constraint"):
        return
    there = read_indexes(reader, facts.everywhere)
    on = by_relation(there)
    for key in contract.foreign_keys:
        yield from tables.judge_supporting(facts, contract, on, key)
    yield from tables.judge_all_indexes(facts, there)
    yield from distribution.judge_all_indexes(dist, there)


# What a pending migration may bring: the SQL that brings it too would then be in its way.
_BROUGHT = re.compile(
    r"(table|schema|column|key|unique|check|required-index|index)-(missing|wrong.*|not-valid|not-distributed|not-colocated)"
)


_LOST_OR_UNWRITTEN = (
    "wflo-schema check --drift  # says what brings it back; where that finds nothing, no migration makes it: "
    "write one, or correct the contract"
)


def _mended_by(found: Finding, status: Status) -> Finding:
    """The finding with a help that knows the ledger: whether there is something to migrate."""
    if status.not_empty and (found.help == MIGRATE or _BROUGHT.fullmatch(found.code)):
        return replace(found, help="wflo-schema adopt  # nothing is recorded here; then check again")
    if status.pending and found.help not in ("", MIGRATE) and _BROUGHT.fullmatch(found.code):
        pending = counted(len(status.pending), "migration is", "migrations are")
        return replace(found, help=f"{MIGRATE}  # {pending} pending; then check again")
    is_recorded = bool(status.applied) and not status.pending
    if found.code == "index-missing" and is_recorded:  # made by hand it would be drift
        return replace(found, help=f"{found.help}  -- in a new migration that says -- transactional: false")
    if found.code not in ("table-missing", "schema-missing") or found.help != MIGRATE or not is_recorded:
        return found
    return replace(found, message=f"{found.message}, though every migration is recorded", help=_LOST_OR_UNWRITTEN)


def _check_ledger(
    answer: _Answer, database: Database, migrations: Migrations, phase: Phase | None, runs_in: RunsIn | None
) -> Status | None:
    from wflo_schema.engine import operations, planning
    from wflo_schema.engine.phases import MIGRATE_AFTER

    session = {"runs_in": runs_in} if runs_in is not None else {}
    try:
        status = operations.status(database, migrations, lock_timeout_ms=LOCK_TIMEOUT_MS, with_grants=True, **session)
    except (DatabaseError, Refused) as error:  # what the other sections found still counts
        may = "may not" if isinstance(error, CannotRead) else "cannot"
        message = f"the ledger {may} be read: {error.message}"
        answer.findings.append(finding("ledger-unreadable", "ledger", message, help_=error.hint))
        answer.verified += [Verified("migration", m.id, "cannot tell", ("ledger-unreadable",)) for m in migrations]
        return None
    answer.findings += _of_the_ledger_itself(status)
    name_it = status.how_to_name if status.elsewhere else ""
    is_refused = bool(planning.plan_migrations(status, migrations, None, (), phase=phase).refusals)
    next_step = "wflo-schema plan  # says what stands against it" if is_refused else MIGRATE
    if status.not_empty:
        next_step = planning.TAKE_OVER
        answer.notes.append(status.not_empty)
    names = {old: planning.renamed({old: new}, (old,)) for old, new in status.look_alikes}
    names |= dict.fromkeys(planning.other_spellings(status), planning.RESPELL)
    names |= dict.fromkeys((e.id for e in status.changed if e.recorded_as), planning.RESTORE_RENAMED)
    names |= dict.fromkeys((e.id for e in status.pending), name_it or next_step)
    later = {e.id for e in status.for_later}
    if later and next_step == MIGRATE:
        names |= dict.fromkeys(later, name_it or MIGRATE_AFTER)
    if later and phase is Phase.BEFORE_DEPLOY:
        answer.notes.append(
            f"{counted(len(later), 'migration is', 'migrations are')} pending for after the deploy: "
            f"{listed(e.id for e in status.for_later)}"
        )
    gone = ("no file", "its file")
    said = (
        ("ledger-pending", status.pending_by(phase), "not applied", "not recorded", "applied"),
        ("ledger-changed", status.changed, "edited after it was applied", "another checksum", "the file as applied"),
        ("ledger-missing", status.missing, "recorded as applied, and has no file", *gone),
        ("ledger-ahead", status.ahead, "recorded as applied, and newer than every file", *gone),
    )
    half_done = {h.id for h in status.half_done}
    answer.verified += [Verified("migration", e.id, "yes") for e in status.applied if e.id not in half_done]
    for half in status.half_done:
        have, want = "half done", "done, or not begun"
        answer.of_migration(
            finding("ledger-half-done", half.id, half.reason, have=have, want=want, help_=half.help), half.id
        )
    for code, entries, message, have, want in said:
        for entry in entries:
            location = Location(entry.path, 1) if entry.path else None
            help_ = names.get(entry.id) or remedy_of(code)
            what = planning.edited_since(entry) if entry.recorded_as and code == "ledger-changed" else message
            if entry.id in later:
                what = f"{what}: it is {Phase.AFTER_DEPLOY}"
            found = finding(code, entry.id, what, have=have, want=want, help_=help_, location=location)
            answer.of_migration(found, entry.id)
    _judge_repeatables(answer, status, name_it or next_step)
    return status


# Where a repeatable file stands: how that is said, what there is, and what should be.
_REPEATABLE_SAID = {
    "pending": ("not applied", "not recorded", "applied"),
    "edited": ("edited since it was applied", "the text before", "the file's text"),
    "gone": ("what it made is not there any more", "gone, or changed by hand", "what the file makes"),
    "deleted": ("what it made is there, and it has no file", "no file", "its file"),
}


def _judge_repeatables(answer: _Answer, status: Status, next_step: str) -> None:
    """Where repeatable files stand; that a hook is due is a note."""
    if status.hooks_due:
        answer.notes.append(status.said_due)
    for e in status.repeatables:
        if e.state == "applied":
            answer.verified.append(Verified("migration", e.id, "yes"))
            continue
        is_deleted = e.state == "deleted"
        code = "ledger-deleted" if is_deleted else "ledger-repeatable"
        message, have, want = _REPEATABLE_SAID[e.state]
        location = Location(e.path, 1) if e.path else None
        help_ = remedy_of(code) if is_deleted else next_step
        answer.of_migration(finding(code, e.id, message, have=have, want=want, help_=help_, location=location), e.id)


def _of_the_ledger_itself(status: Status) -> Iterator[Finding]:
    """Is it the one that is meant, does its key lock, and is it its owner's alone?"""
    name = f"{quote(status.schema)}._yoyo_migration"
    if status.elsewhere:
        yield finding(
            "ledger-elsewhere",
            name,
            f"{status.said_elsewhere} these migrations; this one, {status.led_here}, records none of them",
            have="no record" if status.has_ledger else NOTHING,
            want=f"{quote(status.elsewhere[0])}._yoyo_migration",
            help_=status.how_to_name,
        )
    for flaw in status.flaws:
        yield finding("ledger-flawed", name, flaw.what, help_=flaw.mend)
    for grant in status.grants:
        yield finding(
            "ledger-open",
            grant.relation,
            f"{grant.grantee} may change the ledger",
            have=f"{grant.privileges} granted to {grant.grantee}",
            want="SELECT at most",
            help_=f"{grant.revoke}; or leave it, where {grant.grantee} runs the migrations",
        )


def check_drift(
    database: Database,
    wanted: Catalog,
    *,
    schema: str | None = None,
    wanted_schema: str | None = None,
    privileges: bool = False,
) -> tuple[Finding, ...]:
    """Compare the target's catalog with that of the replayed migrations.  Never changes the target.

    ``schema`` limits both to one schema; ``wanted_schema`` is its name where they were replayed.
    ``privileges`` compares owners and grants too, which ``wanted`` must then hold.
    """
    from wflo_schema.catalog.read import read_migrated

    with database.connect(settings=PATIENT) as connection:
        have = read_migrated(
            connection,
            schemas=(schema,) if schema else None,
            wanted=wanted,
            privileges=privileges,
            apart=database.ledger_apart,
        )
    return find_drift(have, wanted, schema=schema, wanted_schema=wanted_schema)


def find_drift(
    have: Catalog,
    wanted: Catalog,
    *,
    schema: str | None = None,
    wanted_schema: str | None = None,
    whose: str = "made by the migrations",
) -> tuple[Finding, ...]:
    """Compare two catalogs that were read.  ``whose``: what is said of the wanted one; all else as in `check_drift`."""
    from wflo_schema.catalog.compare import compare_catalogs, is_beside, tables_below
    from wflo_schema.catalog.objects import RELATIONS

    if schema:
        wanted = _of_schema(wanted, wanted_schema or schema, called=schema)
    names = {schema: wanted_schema} if schema and wanted_schema and schema != wanted_schema else None
    below = tables_below(have, {o.path for o in wanted.objects if o.kind in RELATIONS})
    return tuple(
        finding(
            "drift-cosmetic" if d.cosmetic else "drift-beside" if is_beside(d, below) else "drift",
            d.object,
            f"{d.kind} {d.object}"
            + (
                f" differs in {d.attribute}"
                if d.attribute
                else " is not there"
                if d.have == NOTHING
                else f" is not {whose}"
            ),
            have=d.have,
            want=d.want,
            help_="" if is_beside(d, below) else d.mend,
        )
        for d in compare_catalogs(have, wanted, ignore_schema_names=names)
    )


def _of_schema(wanted: Catalog, schema: str, *, called: str) -> Catalog:
    """What is in one schema; what is granted there beforehand is named with that of ``called``."""
    found = wanted.by_schema().get(schema)

    def said(one: Object) -> Object:
        return replace(one, path=(one.path[0], called, one.path[2])) if one.kind == "default privileges" else one

    return replace(wanted, objects=tuple(map(said, found.objects if found is not None else ())))

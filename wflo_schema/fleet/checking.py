"""Check many targets as each would be checked alone, and say once what several have.

Hides what equal targets share: how a catalog differs is found out once for all catalogs with the same hash.  All else
that a check reads is read of each target: what defeats a key may be in none of the hashes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wflo_schema.catalog.objects import GLOBAL, Catalog
from wflo_schema.check.contract import Contract
from wflo_schema.check.verdict import DEFAULT_SECTIONS, ROWS_TIMEOUT_S, CheckResult, Drift, check_database, not_compared
from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import Stop
from wflo_schema.engine import operations
from wflo_schema.errors import ConnectionFailed, UsageError, WfloSchemaError
from wflo_schema.files.folder import Migrations
from wflo_schema.findings import Finding, Severity
from wflo_schema.fleet.catalogs import MigratedCatalog, group_catalogs, hash_of_migrations, renamed
from wflo_schema.fleet.connections import server_of
from wflo_schema.fleet.looking import status_fleet
from wflo_schema.fleet.outcomes import Cause, FleetOptions, causes_of_failed, placeless
from wflo_schema.fleet.runs import Leased
from wflo_schema.fleet.surveys import NotifyAsked, Survey
from wflo_schema.fleet.targets import Target
from wflo_schema.scratch.replay import ScratchOptions, search_place
from wflo_schema.words import counted

if TYPE_CHECKING:
    from wflo_schema.files.directives import Phase

# Says of an allowance that it allows nothing: of several targets it must be so in each.
_UNUSED = "allowance-unused"


@dataclass(frozen=True, slots=True)
class FleetFinding:
    """One finding, as it is in the first of the targets that have it, and the names of all of these."""

    finding: Finding
    targets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FleetCheck:
    """What the check of each target says, by its name and in the order of the targets, or why it could not be checked.

    ``compared``: catalogs were compared with each other, for want of what the migrations make.
    """

    targets: tuple[Target, ...]
    results: Mapping[str, CheckResult]
    failed: Mapping[str, WfloSchemaError]
    sections: tuple[str, ...]
    compared: bool
    fail_on: Severity
    duration_ms: float

    def changed(self, how: Callable[[Finding], Finding]) -> FleetCheck:
        """The same, with every finding said otherwise."""
        return replace(self, results={name: result.changed(how) for name, result in self.results.items()})

    @property
    def findings(self) -> tuple[FleetFinding, ...]:
        """Each finding once: errors first, then what most targets have."""
        found: dict[Hashable, list[tuple[str, Finding]]] = {}
        for name, result in self.results.items():
            for one in result.findings:
                found.setdefault(_key(one, name), []).append((name, one))
        order = list(Severity)
        once = [FleetFinding(those[0][1], tuple(dict.fromkeys(name for name, _ in those))) for those in found.values()]
        return tuple(sorted(once, key=lambda f: (order.index(f.finding.severity), -len(f.targets))))

    @property
    def causes(self) -> tuple[Cause, ...]:
        """Why targets could not be checked."""
        return causes_of_failed(self.failed)

    @property
    def exit_code(self) -> int:
        """0 nothing at the fail-on level · 1 the answer is no · 3 cannot tell.  A certain no wins."""
        codes = {result.exit_code for result in self.results.values()}
        return 1 if 1 in codes else 3 if codes - {0} or self.failed else 0


def _key(found: Finding, target: str) -> Hashable:
    texts = (found.object, found.message, found.have, found.want)
    return found.code, found.severity, str(found.location), *(placeless(text, target) for text in texts)


# many parameters: those of `check_database`
# long: its promises
def check_fleet(
    targets: Sequence[Target],
    contract: Contract | None,
    *,
    migrations: Migrations | None = None,
    only: Sequence[str] = DEFAULT_SECTIONS,
    compared: bool = False,
    rows_timeout_s: float = ROWS_TIMEOUT_S,
    snapshot: Catalog | None = None,
    scratch: ScratchOptions | None = None,
    privileges: bool = False,
    fail_on: Severity = Severity.ERROR,
    phase: Phase | None = None,
    options: FleetOptions | None = None,
    notify: NotifyAsked | None = None,
    stop: Stop | None = None,
) -> FleetCheck:
    """Check each target as `check_database` does, without what information_schema shows.  Reads only.

    With the section drift, catalogs are compared with what ``migrations`` make, replayed once for all targets to which
    the same applies, or with ``snapshot``, whatever its schema is called.  ``compared``: without that section they are
    compared with those of other targets whose ledgers record the same.

    Raise `UsageError` as `check_database` does; what else is wrong with one target is told of that one.
    """
    began = time.monotonic()
    sections = tuple(only)
    options = options or FleetOptions(patience_s=0)
    results: dict[str, CheckResult] = {}
    has_allowances = contract is not None and bool(contract.allowances)
    empty = Migrations((), ())
    survey = Survey(targets, migrations or empty, options=options, notify=notify, stop=stop)
    left = survey.read(lambda target, known: False)
    survey.begin("catalogs")
    of_any = contract and contract.without_schema()  # each target that is a schema is held to what it says of its own
    drifts: Mapping[str, Drift] = {}
    if "drift" in sections:
        made = _Made(migrations, snapshot, scratch, privileges, phase, options, has_allowances)
        drifts = made.drifts(left, survey)
    elif compared and migrations is not None:
        drifts = _among_each_other(left, migrations, options)

    def ask(target: Target, leased: Leased) -> None:
        results[target.name] = check_database(
            target.database,
            of_any if target.database.schema is not None else contract,
            migrations=migrations,
            only=sections,
            rows_timeout_s=rows_timeout_s,
            drift=drifts.get(target.name),
            privileges=privileges,
            fail_on=fail_on,
            phase=phase,
            with_views=False,
            runs_in=leased,
        )

    survey.begin("targets")
    survey.ask([t for t in left if t.name not in survey.failed], ask)
    failed = survey.failed
    in_order = {t.name: results[t.name] for t in targets if t.name in results}
    return FleetCheck(
        tuple(targets),
        _with_common_allowances(in_order),
        {t.name: failed[t.name] for t in targets if t.name in failed},
        sections,
        compared and "drift" not in sections,
        fail_on,
        (time.monotonic() - began) * 1000,
    )


def _with_common_allowances(results: Mapping[str, CheckResult]) -> Mapping[str, CheckResult]:
    """The same without the word that an allowance allows nothing, where it does in another target."""
    unused = [{f.object for f in r.findings if f.code == _UNUSED} for r in results.values()]
    everywhere = set.intersection(*unused) if unused else set()
    if everywhere == (set.union(*unused) if unused else set()):
        return results
    return {
        name: replace(result, findings=tuple(f for f in result.findings if f.code != _UNUSED or f.object in everywhere))
        for name, result in results.items()
    }


def _among_each_other(targets: Sequence[Target], migrations: Migrations, options: FleetOptions) -> Mapping[str, Drift]:
    """In what each is not like most of those whose ledgers record the same."""
    found: dict[str, Drift] = {}
    schemas = {t.name: t.database.schema for t in targets}
    for of_ledger in status_fleet(targets, migrations, options=options).catalogs:
        for group in of_ledger.groups:
            for name in group.names:
                findings = renamed(group.findings, schemas[group.names[0]], schemas[name])
                found[name] = Drift(findings, of_ledger.notes)
        for name, error in of_ledger.failed.items():
            found[name] = Drift((not_compared(error),))
    return found


@dataclass(slots=True)
class _Made:
    """What the migrations make for each target, found out once for all for which that is the same."""

    migrations: Migrations | None
    snapshot: Catalog | None
    scratch: ScratchOptions | None
    privileges: bool
    phase: Phase | None
    options: FleetOptions
    has_allowances: bool

    def drifts(self, targets: Sequence[Target], survey: Survey) -> Mapping[str, Drift]:
        """In what each is not what it should be.  A target that cannot be asked is among the survey's failed."""
        alike: dict[Hashable, list[Target]] = {}

        for target in targets:
            try:
                alike.setdefault(self._key(target), []).append(target)
            except WfloSchemaError as error:
                survey.fail(target, error)
        found: dict[str, Drift] = {}
        for those in alike.values():
            found |= self._of_alike(those, survey)
        return found

    def _key(self, target: Target) -> Hashable:
        """What is equal for targets for which the migrations make the same."""
        database = target.database
        if self.migrations is None or self.snapshot is not None:
            return database.schema is None
        files = operations.in_applied_order(database, self.migrations, phase=self.phase)
        files = operations.with_recorded_values(database, files)
        made = tuple((m.id, tuple(sorted(m.values.items()))) for m in (*files, *files.beside))
        return server_of(database), database.schema is None and search_place(database), made

    def _of_alike(self, targets: Sequence[Target], survey: Survey) -> dict[str, Drift]:
        left = list(targets)
        while left:
            try:
                wanted = self._wanted(left[0].database)
                break
            except ConnectionFailed as error:
                survey.fail(left.pop(0), error)
        else:
            return {}
        found = self._compared(left, wanted)
        if self.snapshot is None:
            for target in left[1:]:  # code may have put the name of the first database into what was made
                if target.database.schema is None and found[target.name].findings:
                    found |= self._compared([target], self._wanted(target.database))
        return found

    def _compared(self, targets: Sequence[Target], wanted: MigratedCatalog) -> dict[str, Drift]:
        """The same, once for those with the same hash."""
        schemas = {t.name: t.database.schema for t in targets}
        groups = group_catalogs(
            {t.name: t.database for t in targets}, wanted=wanted, privileges=self.privileges, jobs=self.options.jobs
        )
        found = {name: Drift((not_compared(error),)) for name, error in groups.failed.items()}
        for group in groups.groups:
            for name in group.names:
                findings = renamed(group.findings, schemas[group.names[0]], schemas[name])
                found[name] = Drift(findings, groups.notes, self._names(wanted, schemas[name]))
        return found

    def _wanted(self, database: Database) -> MigratedCatalog:
        if self.snapshot is not None:
            own = sorted({o.path[0] for o in self.snapshot.objects if o.kind not in GLOBAL})
            if database.schema is not None and len(own) != 1 and database.schema not in own:
                raise UsageError(
                    f"the snapshot holds {counted(len(own), 'schema')}, so it does not say what each target is to be",
                    hint="write it from one target: wflo-schema dump --schema …",
                )
            schema = None if database.schema is None else database.schema if database.schema in own else own[0]
            return MigratedCatalog("", self.snapshot, schema)
        assert self.migrations is not None
        return hash_of_migrations(
            database, self.migrations, scratch=self.scratch, privileges=self.privileges, phase=self.phase
        )

    def _names(self, wanted: MigratedCatalog, schema: str | None) -> frozenset[str] | None:
        """The names of what the migrations make in that schema, where an allowance may name one."""
        if not self.has_allowances:
            return None
        objects = (
            replace(o, path=(schema, *o.path[1:]))
            if schema is not None and o.kind not in GLOBAL and o.path[0] == wanted.schema
            else o
            for o in wanted.catalog.objects
        )
        return frozenset(o.name for o in objects)

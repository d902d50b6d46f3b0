"""Lint migrations: rehearse them in a scratch database, and judge what PostgreSQL showed."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from wflo_schema.catalog.objects import Catalog
from wflo_schema.connect.database import PATIENT, Database
from wflo_schema.connect.queries import fetch
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import Phase
from wflo_schema.files.folder import Migration, Migrations
from wflo_schema.findings import Finding, Severity
from wflo_schema.lint.context import Context, Keys, read_unique_keys
from wflo_schema.lint.ending import State, broken_by, read_state
from wflo_schema.lint.guessing import MAY_BE_WRONG, guess
from wflo_schema.lint.judging import Judge
from wflo_schema.lint.rewriting import Rewrite
from wflo_schema.lint.rules import BY_CODE
from wflo_schema.lint.undoing import MOST_ROLLED_BACK, Undone, read_before, roll_back
from wflo_schema.lint.values import LintResult
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.trace.estimate import needs_rates
from wflo_schema.trace.operations import trace
from wflo_schema.trace.outlook import ROWS_THAT_MATTER
from wflo_schema.trace.rates import Rates, measure_rates
from wflo_schema.trace.sizes import Size, read_sizes
from wflo_schema.trace.values import Trace, Traced
from wflo_schema.words import listed

if TYPE_CHECKING:
    from wflo_schema.check.contract import Contract


@dataclass(frozen=True, slots=True)
class LintOptions:
    """What is judged, and how strictly.

    ``files``, ``since`` and ``to`` as `trace` takes them.  ``contract``: what must hold once all has run.  Tables with
    fewer than ``rows_that_matter`` rows in the database need no care; with 0 every table does; None is 10,000 in a
    database of which some table has as many, and 0 in any other, such as one for development or CI.
    ``with_squawk``: add what squawk says of style.
    """

    files: tuple[str, ...] = ()
    since: str | None = None
    to: str | None = None
    contract: Contract | None = None
    rows_that_matter: int | None = None
    fail_on: Severity = Severity.ERROR
    with_squawk: bool = False


def lint(
    database: Database | None,
    migrations: Migrations,
    *,
    options: LintOptions | None = None,
    scratch: ScratchOptions | None = None,
) -> LintResult:
    """Judge what is pending in ``database``, or what ``options`` name, by a rehearsal.  Writes nothing in it.

    Without a database all files are pending, and are rehearsed on the server that ``scratch`` names; where that names
    none, their text is all that is judged.  Raise `Refused` where no scratch database may be made, `MigrationFailed`
    where what comes before does not replay.
    """
    options = options or LintOptions()
    server = database or (scratch.on if scratch is not None else None)
    if server is None:
        return _from_text(migrations, options)
    looking = _Looking(migrations)
    return _linted(server, migrations, options, scratch, looking, is_target=database is not None)[0]


def _from_text(migrations: Migrations, options: LintOptions) -> LintResult:
    started = time.monotonic()
    found, keys, failures = guess(migrations, options.files, options.since, options.to)
    uses_phases = any(m.phase is Phase.AFTER_DEPLOY for m in migrations)
    judge = Judge(Context(keys, uses_phases=uses_phases), migrations, found)
    judge.statements()
    for m, error in failures:
        judge.failure(m, error)
    if options.with_squawk:
        judge.style()
    result = _result(judge, found, options, started, [m.id for m, _ in failures])
    said = tuple(
        f if BY_CODE[f.code].section == "files" or f.code == "file-refused"
        else replace(
            f, message=f"{f.message} ({MAY_BE_WRONG})", help="a rehearsal tells" if f.code == "undecided" else f.help
        )
        for f in result.findings
    )  # fmt: skip
    return replace(result, findings=said, is_rehearsed=False)


def lint_with_rewrites(
    database: Database,
    migrations: Migrations,
    *,
    options: LintOptions | None = None,
    scratch: ScratchOptions | None = None,
) -> tuple[LintResult, Mapping[tuple[str, int], Rewrite], Catalog | None]:
    """The same, with the safe way of statements by migration and number, and the catalog that all of it makes."""
    looking = _Looking(migrations, keeps_catalog=True)
    result, judge = _linted(database, migrations, options or LintOptions(), scratch, looking)
    return result, judge.rewrites, looking.after


def _linted(
    database: Database,
    migrations: Migrations,
    options: LintOptions,
    scratch: ScratchOptions | None,
    looking: _Looking,
    *,
    is_target: bool = True,
) -> tuple[LintResult, Judge]:
    started = time.monotonic()
    looking.held_to = options.contract
    with ExitStack() as closing:
        found, failures = _traced(database, migrations, options, scratch, looking, closing, is_target=is_target)
        sizes, rates = _sizes(database, found, scratch) if is_target else ({}, Rates())
        least = options.rows_that_matter
        if least is None:
            least = ROWS_THAT_MATTER if is_target and _has_rows_that_matter(database, sizes) else 0
        context = _context(database, migrations, least, looking.keys, sizes)
        left = looking.states[1].since(looking.states[0]) if len(looking.states) > 1 else State()
        judge = Judge(replace(context, rates=rates), migrations, found, left.constraints)
        judge.statements()
        if options.with_squawk:
            judge.style()
        for m, error in failures:
            judge.failure(m, error)
        if not found.failed and not failures:
            judge.ending(left)
            if migrations.items and migrations.items[-1].id in found.migrations:
                judge.contract(looking.broken)
            judge.undone(looking.undone)
        found = replace(found, notes=(*found.notes, *looking.notes))
        result = _result(judge, found, options, started, [m.id for m, _ in failures])
        if all(map(context.matters, sizes)):
            return result, judge
        strict = Judge(replace(context, rows_that_matter=0), migrations, found, left.constraints)
        strict.statements()
        return _with_spared(result, strict, says_so=options.rows_that_matter is None), judge


def _with_spared(result: LintResult, strict: Judge, *, says_so: bool) -> LintResult:
    """The result, without allowances called unused that a larger table needs; and, if asked, with what is not told."""
    told, _ = strict.sifted()
    findings = tuple(f for f in result.findings if f.code != "allowance-unused" or f in told)
    seen = {(f.code, f.location) for f in findings}
    spared = [f"{f.code} of {f.object}" for f in told if BY_CODE[f.code].section == "blocks"
              and (f.code, f.location) not in seen]  # fmt: skip
    notes = result.notes
    if says_so and spared:
        what = listed(tuple(dict.fromkeys(spared)))
        notes += (f"not told, for want of {ROWS_THAT_MATTER:,} rows: {what}; --rows-that-matter 0 tells it",)
    return replace(result, findings=findings, notes=notes)


def _has_rows_that_matter(database: Database, sizes: Mapping[str, Size]) -> bool:
    """Is any of its tables large?  Else it says nothing of how large they are elsewhere."""
    if any((size.rows or 0) >= ROWS_THAT_MATTER for size in sizes.values()):
        return True
    with database.connect(settings=PATIENT) as connection:
        return fetch(connection, _Largest, "lint", "largest", {})[0].rows >= ROWS_THAT_MATTER


@dataclass(frozen=True, slots=True)
class _Largest:
    rows: int


def judge(
    database: Database, migrations: Migrations, found: Trace, *, options: LintOptions | None = None
) -> LintResult:
    """Judge a rehearsal of what is pending in ``database`` that was made before, by `trace`."""
    started = time.monotonic()
    options = options or LintOptions()
    with database.connect(settings=PATIENT) as connection:
        keys = read_unique_keys(connection)
    sizes = read_sizes(database, _tables(found)) if options.rows_that_matter else {}
    judge = Judge(_context(database, migrations, options.rows_that_matter or 0, keys, sizes), migrations, found)
    judge.statements()
    return _result(judge, found, options, started)


def _context(database: Database, migrations: Migrations, least: int, keys: Keys, sizes: Mapping[str, Size]) -> Context:
    uses_phases = any(m.phase is Phase.AFTER_DEPLOY for m in migrations)
    return Context(keys, sizes, rows_that_matter=least, schema=database.schema, uses_phases=uses_phases)


def _result(judge: Judge, found: Trace, options: LintOptions, started: float, also: Sequence[str] = ()) -> LintResult:
    findings, allowed = judge.sifted()
    return LintResult(
        found.label,
        found.start,
        tuple(i for i in dict.fromkeys((*found.migrations, *also)) if i not in found.untouched),
        findings,
        allowed,
        (*found.notes, *found.untouched_note),
        found.server_version,
        fail_on=options.fail_on,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


@dataclass(slots=True)
class _Looking:
    """What the scratch database holds before the rehearsal, and behind it; then all is rolled back there."""

    migrations: Migrations
    held_to: Contract | None = None
    keeps_catalog: bool = False
    after: Catalog | None = None
    keys: Keys = field(default_factory=dict)
    states: list[State] = field(default_factory=list)
    broken: tuple[Finding, ...] = ()
    undone: Undone = field(default_factory=Undone)
    notes: tuple[str, ...] = ()
    _before: Catalog | None = None
    _ran: list[Migration] = field(default_factory=list)

    def __call__(self, empty: Database, ids: Sequence[str], statements: Sequence[Traced]) -> None:
        with empty.connect(settings=PATIENT) as connection:
            self.states.append(read_state(connection))
            if len(self.states) == 1:
                self.keys = read_unique_keys(connection)
        if len(self.states) == 1:
            self._ran = self._to_roll_back(frozenset(ids))
            self._before = read_before(empty) if self._ran else None
        elif not any(s.error for s in statements):
            if self.held_to is not None:
                self.broken = tuple(broken_by(empty, self.held_to))
            if self.keeps_catalog:
                self.after = read_before(empty)
            if self._before is not None:
                self.undone = roll_back(empty, self._ran, self._before)

    def _to_roll_back(self, ids: frozenset[str]) -> list[Migration]:
        """What is rolled back behind the rehearsal: all of it, where that is one piece, and not too much."""
        places = [place for place, m in enumerate(self.migrations) if m.id in ids]
        ran = [self.migrations.items[place] for place in places]
        if not any(m.rollback_path for m in ran) or places != list(range(places[0], places[-1] + 1)):
            return []
        if len(ran) > MOST_ROLLED_BACK:
            self.notes = (f"rollback files were read, and not run: there are more than {MOST_ROLLED_BACK}",)
            return []
        return ran


_Failure = tuple[Migration, BadMigrationFile | Refused]


def _traced(
    database: Database,
    migrations: Migrations,
    options: LintOptions,
    scratch: ScratchOptions | None,
    looking: _Looking,
    closing: ExitStack,
    *,
    is_target: bool,
) -> tuple[Trace, list[_Failure]]:
    """The trace of all that can be rehearsed, and which file cannot, and why: what comes behind that is left out."""
    failures: list[_Failure] = []
    to, files = options.to, options.files
    while True:
        looking.states.clear()
        try:
            found = trace(
                database, migrations, files=files, since=options.since, to=to, scratch=scratch, look=looking,
                is_target=is_target, closing=closing, takes_unfinished=True,
            )  # fmt: skip
        except (BadMigrationFile, Refused) as error:
            m = _blamed(error, migrations)
            if m is None or m in [one for one, _ in failures]:
                raise
            failures = [(m, error)]
            before = migrations.items[: migrations.items.index(m)]
            files = tuple(one for one in files if migrations.resolve(one) in before)
            if not before or (options.files and not files):
                return Trace(database.label, "", "", ()), failures
            to = None if files else before[-1].id
        else:
            return found, failures


_PLACE = re.compile(r"(?P<path>.+?):(?P<line>\d+): ")


def _blamed(error: BadMigrationFile | Refused, migrations: Migrations) -> Migration | None:
    """The file that the error is about."""
    place = error.location if isinstance(error, BadMigrationFile) else None
    said = _PLACE.match(error.message)
    path = place.path if place is not None else said["path"] if said else ""
    return next((m for m in migrations if m.path == path or error.message.startswith(f"{m.path}: ")), None)


def _sizes(database: Database, found: Trace, scratch: ScratchOptions | None) -> tuple[dict[str, Size], Rates]:
    """How big the tables are in the target that the statements touch, and how fast they are gone through there."""
    sizes = read_sizes(database, _tables(found))
    large = needs_rates(found.statements, sizes)
    return sizes, measure_rates(database, large, scratch=scratch) if large else Rates()


def _tables(found: Trace) -> set[str]:
    """All that the statements work on, or lock."""
    return {name for s in found.statements for name in (*s.works_on, *s.changes, *(k.relation for k in s.locks))}

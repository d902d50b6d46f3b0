"""Lint migrations: rehearse them in a scratch database, and judge what PostgreSQL showed."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace

from wflo_schema.connect.database import PATIENT, WATCHED, Database
from wflo_schema.engine import operations as engine
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.faults import refuse_unfit, refuse_unready
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.script import Script
from wflo_schema.findings import Location, Severity
from wflo_schema.lint import breaking
from wflo_schema.lint.allowances import read_allowances
from wflo_schema.lint.blocking import Flaw, Step, Transaction
from wflo_schema.lint.context import Context, read_sizes, read_unique_keys
from wflo_schema.lint.parsing import Parsed, parse
from wflo_schema.lint.rules import BY_CODE
from wflo_schema.lint.values import Allowed, LintFinding, LintResult
from wflo_schema.scratch.replay import ScratchOptions, replay, scratch_database
from wflo_schema.trace.rehearsal import Rehearsal
from wflo_schema.trace.start import fill
from wflo_schema.trace.values import Trace, Traced


@dataclass(frozen=True, slots=True)
class LintOptions:
    """What is judged, and how strictly.

    ``only``: ids to judge, on top of all that come before them; without it what is pending is judged, on top of what
    the database holds.  ``to``: the last of them.  Tables with fewer than ``rows_that_matter`` rows in the database
    need no care; with 0 every table does.
    """

    only: Collection[str] | None = None
    to: str | None = None
    rows_that_matter: int = 0
    fail_on: Severity = Severity.ERROR


@dataclass(frozen=True, slots=True)
class _Set:
    """The migrations to rehearse, in order: which are judged, and which only come before or between."""

    before: Migrations | None
    """What is replayed first; None: what the database holds."""
    rehearsed: tuple[Migration, ...]
    judged: frozenset[str]


def lint(
    database: Database,
    migrations: Migrations,
    *,
    options: LintOptions | None = None,
    scratch: ScratchOptions | None = None,
) -> LintResult:
    """Judge what is pending in ``database``, or what ``options`` name, by a rehearsal.  Writes nothing in it.

    Raise `Refused` where no scratch database may be made, `MigrationFailed` where what comes before does not replay.
    """
    started = time.monotonic()
    options = options or LintOptions()
    migrations.refuse_empty()
    chosen = _choose(database, migrations, options)
    judging = _Judging(chosen, Context(schema=database.schema, uses_phases=False))
    if options.rows_that_matter:
        with database.connect(settings=PATIENT) as connection:
            judging.context = replace(
                judging.context, sizes=read_sizes(connection), rows_that_matter=options.rows_that_matter
            )
    start, version = f"the catalog of {database.label}", ""
    notes: tuple[str, ...] = ()
    if chosen.rehearsed:
        migrations = engine.with_recorded_values(database, migrations)
        with scratch_database(database, scratch=scratch) as empty:
            if chosen.before is None:
                notes = fill(database, empty)
            elif chosen.before.items:
                replay(database, empty, chosen.before, scratch=scratch)
                start = f"the migrations before {chosen.rehearsed[0].id}"
            with empty.connect(settings=PATIENT) as connection:
                judging.context = replace(judging.context, keys=read_unique_keys(connection))
            version = judging.rehearse(empty)
    return LintResult(
        database.label,
        start,
        tuple(m.id for m in chosen.rehearsed if m.id in chosen.judged),
        tuple(judging.findings),
        tuple(judging.allowed),
        notes,
        version,
        fail_on=options.fail_on,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def judge(
    database: Database, migrations: Migrations, found: Trace, *, options: LintOptions | None = None
) -> LintResult:
    """Judge a rehearsal of what is pending in ``database`` that was made before, by `trace`."""
    started = time.monotonic()
    options = options or LintOptions()
    wanted = tuple(m for i in found.migrations if (m := migrations.get(i)) is not None)
    ids = frozenset(m.id for m in wanted)
    with database.connect(settings=PATIENT) as connection:
        context = Context(
            keys=read_unique_keys(connection),
            sizes=read_sizes(connection) if options.rows_that_matter else {},
            rows_that_matter=options.rows_that_matter,
            schema=database.schema,
        )
    judging = _Judging(_Set(None, wanted, ids), context)
    for m in wanted:
        traced = [s for s in found.statements if s.id == m.id and not s.hook]
        if traced:
            judging.one_traced(m, traced)
    return LintResult(
        found.label,
        found.start,
        tuple(m.id for m in wanted),
        tuple(judging.findings),
        tuple(judging.allowed),
        found.notes,
        found.server_version,
        fail_on=options.fail_on,
        duration_ms=round((time.monotonic() - started) * 1000),
    )


def _choose(database: Database, migrations: Migrations, options: LintOptions) -> _Set:
    items = list(migrations.items)
    if options.to is not None:
        items = items[: items.index(migrations.resolve(options.to)) + 1]
    if options.only is None:
        status = engine.status(database, migrations)
        pending = {e.id for e in status.pending}
        wanted = tuple(m for m in items if m.id in pending)
        return _Set(None, wanted, frozenset(m.id for m in wanted))
    places = [place for place, m in enumerate(items) if m.id in options.only]
    if not places:
        return _Set(None, (), frozenset())
    first, last = places[0], places[-1]
    before = _only(migrations, items[:first])
    return _Set(before, tuple(items[first : last + 1]), frozenset(items[place].id for place in places))


def _only(migrations: Migrations, items: list[Migration]) -> Migrations:
    """The same folder with only these migrations."""
    return replace(
        migrations, items=tuple(items), repeatables=(), hooks=migrations.hooks, _by_id={m.id: m for m in items}
    )


@dataclass(slots=True)
class _Judging:
    """One run: what was found so far, and what is new so far."""

    chosen: _Set
    context: Context
    findings: list[LintFinding] = field(default_factory=list)
    allowed: list[Allowed] = field(default_factory=list)
    _new: frozenset[str] = frozenset()
    _old: set[str] = field(default_factory=set)
    """Made by what is not judged."""

    def rehearse(self, empty: Database) -> str:
        """Rehearse and judge all; the server's version.  What PostgreSQL refuses ends it."""
        settings = {**WATCHED, "client_min_messages": "debug1", "synchronous_commit": "off"}
        with Rehearsal.on(empty, settings=settings) as rehearsal:
            rehearsal.get_ready()
            load = rehearsal.loader(load_script)
            for m in self.chosen.rehearsed:
                if not self._one(rehearsal, m, load):
                    break
            return rehearsal.ledger.server_version

    def _one(self, rehearsal: Rehearsal, m: Migration, load: Callable[[Migration], Script]) -> bool:
        """Rehearse and judge one file; could it be run to its end?"""
        is_judged = m.id in self.chosen.judged
        failure: Flaw | None = None
        place, line, help_ = Location(m.path, 1), "", ""
        traced: list[Traced] = []
        script: Script | None = None
        try:
            script = load_script(m)
            refuse_unready(m, script, lambda text: None)
            refuse_unfit(script, is_transactional=m.is_transactional)
            traced += rehearsal.rehearse(m, load(m))
        except BadMigrationFile as error:
            failure, place = Flaw("file-refused", m.id, error.message), error.location or place
            line, help_ = error.source_line, error.hint
        except MigrationFailed as error:
            failure, help_ = Flaw("statement-refused", m.id, error.message), error.hint
        except Refused as error:
            failure, help_ = Flaw("not-rehearsed", m.id, error.message), error.hint
        is_whole = failure is None and not any(one.error for one in traced)
        if not is_judged:
            self._old.update(name for one in traced for name in one.made)
            return is_whole
        found = self._found(m, script, traced, is_whole=is_whole) if script is not None else []
        if failure is not None:
            line = line or (script.source_line(place.line) if script is not None and place.column else "")
            found.append(_finding(failure, m, 0, place, line, help_))
        if script is None:
            self.findings += found
        else:
            self._allow(m, script, found)
        return is_whole

    def one_traced(self, m: Migration, traced: Sequence[Traced]) -> None:
        """Judge one file that was rehearsed before."""
        script = load_script(m)
        is_whole = not any(one.error for one in traced)
        self._allow(m, script, self._found(m, script, traced, is_whole=is_whole))

    def _found(self, m: Migration, script: Script, traced: Sequence[Traced], *, is_whole: bool) -> list[LintFinding]:
        """What is wrong with its statements, each where it stands."""
        return [
            _finding(flaw, m, one.number, Location(script.path, one.line, one.column), script.source_line(one.line))
            for flaw, one in self._flaws(_with_left_out(m, script, traced, is_whole=is_whole))
        ]

    def _allow(self, m: Migration, script: Script, found: list[LintFinding]) -> None:
        """Keep what no comment of the file allows, and what is wrong with these comments."""
        allowances = read_allowances(script)
        self.findings += allowances.sift(found)
        self.allowed += allowances.allowed
        for allowance, code in allowances.unused():
            kind, object_ = ("allowance-wrong", "allowance") if allowance.wrong else ("allowance-unused", code)
            message = allowance.wrong or f"there is no finding {code} where it stands"
            line = script.source_line(allowance.location.line)
            self.findings.append(_finding(Flaw(kind, object_, message), m, 0, allowance.location, line))

    def _flaws(self, traced: Sequence[Traced]) -> Iterator[tuple[Flaw, Traced]]:
        """What is wrong with the statements of one file."""
        transaction = Transaction(self.context, self._new)
        for one in traced:
            self._new |= {lock.relation for lock in one.locks if lock.is_new and lock.relation not in self._old}
            step = Step(one, functools.partial(_parse_once, one.text))
            if one.is_alone:
                transaction = Transaction(self.context, self._new)
            transaction.new = self._new
            if one.error:
                yield Flaw("statement-refused", one.id, one.error), one
                return
            for flaw in transaction.judge(step):
                yield flaw, one
            for flaw in breaking.judge(step, self.context, self._new, is_late=False):
                yield flaw, one
            if one.undecided:
                yield Flaw("undecided", one.id, one.undecided), one
            self._new |= frozenset(one.made)


@functools.lru_cache(maxsize=8)
def _parse_once(text: str) -> Parsed | None:
    return parse(text)


def _with_left_out(m: Migration, script: Script, traced: Sequence[Traced], *, is_whole: bool) -> list[Traced]:
    """All statements of the file, those as well that a rehearsal leaves out because they reach further."""
    by_place = {(one.line, one.column): one for one in traced}
    found = []
    for number, statement in enumerate(script.statements, 1):
        one = by_place.pop((statement.line, statement.column), None)
        if one is None and not by_place and not is_whole:
            break  # behind what was refused
        found.append(
            replace(one, number=number)
            if one is not None
            else Traced(m.id, script.path, statement.line, statement.column, number, statement.written)
        )
    return found


# many parameters: what was found, and where
def _finding(flaw: Flaw, m: Migration, statement: int, place: Location, line: str, help_: str = "") -> LintFinding:
    rule = BY_CODE[flaw.code]
    return LintFinding(
        flaw.code,
        rule.severity,
        flaw.object,
        flaw.message,
        help=help_ or rule.mend,
        location=place,
        id=m.id,
        statement=statement,
        source_line=line,
    )

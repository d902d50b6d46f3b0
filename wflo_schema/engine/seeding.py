"""Seeds: run the files of a set once, each recorded, all of a run in one transaction.

The records are written first: their key is the lock, as it is for migrations.  Whoever comes second waits, sees them
and has nothing left to do; a killed run leaves neither rows nor records.  Hides how a file of rows is sent without
being held in memory, where in it PostgreSQL found a fault, and which sequences lag behind the rows.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import LiteralString

from psycopg import sql

from wflo_schema.connect.database import Database
from wflo_schema.connect.pipeline import BEGIN, COMMIT, DISCARD, ROLLBACK, Command, ServerError, Stop
from wflo_schema.connect.queries import load_sql
from wflo_schema.engine import operations
from wflo_schema.engine.events import Notify
from wflo_schema.engine.ledger import create_ledger, create_own, no_longer
from wflo_schema.engine.locks import LOCK_TIMEOUT_MS, LockOptions
from wflo_schema.engine.planning import State
from wflo_schema.engine.production import Production, refuse_production
from wflo_schema.engine.remedies import remedy
from wflo_schema.engine.session import LEDGER_GONE, RETRIED, SETTLE, Session, Tries, failure, row_of_copy
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused
from wflo_schema.files.folder import Migration, Migrations, load_script
from wflo_schema.files.script import Script, Statements
from wflo_schema.files.seeds import Rows, SeedFile, SeedSet, meaning_of
from wflo_schema.findings import Location
from wflo_schema.words import counted, listed

_TABLE = "_wflo_schema_seed"

# As Citus takes it in an UPDATE: one moment for the whole statement.
_NOW: LiteralString = "pg_catalog.statement_timestamp() AT TIME ZONE 'UTC'"

# How often a run may find that somebody else has recorded a file.
_MOST_CONFLICTS = 20

_NOTHING = "nothing of this run was kept"


class SeedCase(StrEnum):
    """What stands against a run, and may be allowed."""

    PRODUCTION = "production"
    PENDING = "pending"
    CHANGED = "changed"


class Again(StrEnum):
    """Which files are run although they were run before."""

    CHANGED = "changed"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class SeedEntry:
    """A file of a set, or what is recorded of one.  ``recorded_as``: its name when it was run, where it has changed."""

    set: str
    name: str
    state: State
    applied_at: str | None = None
    recorded_as: str | None = None

    @property
    def id(self) -> str:
        """Its set and its name."""
        return f"{self.set}/{self.name}"


@dataclass(frozen=True, slots=True)
class SeedStatus:
    """The files of some sets beside what is recorded.  ``pending_migrations``: ids of what is to be applied first."""

    label: str
    schema: str
    server_version: str
    source: str
    entries: tuple[SeedEntry, ...]
    pending_migrations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SeedPlan:
    """What a run would do.  ``refusals``: the case, what stands against it, and what to do."""

    status: SeedStatus
    files: tuple[str, ...]
    refusals: tuple[tuple[SeedCase, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Seeded:
    """A file that was run.  ``rows``: of a file of rows; else it has ``statements``."""

    id: str
    duration_ms: float
    statements: int
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class SeedResult:
    """What a run did.  ``sequences`` are those that were set behind the rows, with their values."""

    label: str
    schema: str
    server_version: str
    done: tuple[Seeded, ...]
    already: int
    sequences: tuple[tuple[str, int], ...]
    duration_ms: float


@dataclass(frozen=True, slots=True)
class _Record:
    set: str
    name: str
    checksum: str
    applied_at: str

    def is_of(self, file: SeedFile) -> bool:
        """Had this file another name, and nothing else, when it was run?"""
        return self.checksum == file.checksum and meaning_of(self.name) == file.meaning


@dataclass(frozen=True, slots=True)
class _Task:
    """A file to be run, or (not ``runs``) only to be recorded by its new name; ``record``: what is known of it."""

    file: SeedFile
    record: _Record | None = None
    runs: bool = True


def seed_status(database: Database, migrations: Migrations, sets: Sequence[SeedSet]) -> SeedStatus:
    """Compare files and records.  Writes nothing.  Raise as `operations.status` does."""
    found = operations.status(database, migrations)
    with _Seeding.on(database, settings=operations.reading()) as run:
        entries, _ = _compare(sets, run.records(operations.READ_TIMEOUT_MS))
        pending = tuple(e.id for e in found.pending)
        return SeedStatus(database.label, run.ledger.schema, run.ledger.server_version, _source(sets), entries, pending)


def plan_seeds(
    database: Database,
    migrations: Migrations,
    sets: Sequence[SeedSet],
    *,
    again: Again | None = None,
    allow: Collection[SeedCase] = (),
    production: Production | None = None,
) -> SeedPlan:
    """Say what `seed` would do with the same arguments, and what would stop it.  Writes nothing."""
    refusals: list[tuple[SeedCase, str, str]] = []
    try:
        if SeedCase.PRODUCTION not in allow:
            refuse_production(database, production or Production(), "seeds")
    except Refused as refused:
        if refused.case != SeedCase.PRODUCTION:
            raise
        refusals.append((SeedCase.PRODUCTION, refused.message, refused.hint))
    status = seed_status(database, migrations, sets)
    if status.pending_migrations and SeedCase.PENDING not in allow:
        pending = status.pending_migrations
        what = f"{counted(len(pending), 'migration is', 'migrations are')} pending: {listed(pending)}"
        refusals.append((SeedCase.PENDING, what, "apply them first: wflo-schema migrate"))
    changed = [e for e in status.entries if e.state is State.CHANGED]
    if changed and again is None and SeedCase.CHANGED not in allow:
        what = f"edited since {'it was' if len(changed) == 1 else 'they were'} run: {listed(e.id for e in changed)}"
        names = " ".join(dict.fromkeys(e.set for e in changed))
        how = (
            f"to run what was edited once more: wflo-schema seed {names} --again changed; to leave it: --allow changed"
        )
        refusals.append((SeedCase.CHANGED, what, how))
    runs = {State.PENDING} | ({State.CHANGED} if again else set()) | ({State.APPLIED} if again is Again.ALL else set())
    return SeedPlan(status, tuple(e.id for e in status.entries if e.state in runs), tuple(refusals))


# many parameters: those of `plan_seeds`, and how a run waits and tells
def seed(
    database: Database,
    migrations: Migrations,
    sets: Sequence[SeedSet],
    *,
    again: Again | None = None,
    allow: Collection[SeedCase] = (),
    production: Production | None = None,
    locks: LockOptions | None = None,
    notify: Notify | None = None,
    stop: Stop | None = None,
) -> SeedResult:
    """Run the files of these sets that are not recorded, in order, all in one transaction with their records.

    Sequences that lag behind the rows are set behind them.  Variables have the values of the migrations.
    Raise `Refused` for what `plan_seeds` finds,
    `BadMigrationFile` before anything runs, and `MigrationFailed`, `Interrupted` or `ConnectionLost` with nothing kept.
    """
    began = time.monotonic()
    planned = plan_seeds(database, migrations, sets, again=again, allow=allow, production=production)
    if planned.refusals:
        raise Refused(
            "\n".join(what for _, what, _ in planned.refusals),
            hint="\n".join(how for _, _, how in planned.refusals),
            case=planned.refusals[0][0].value,
        )
    given = next((m.given for m in migrations), {})
    scripts = {f.id: _load(f, given) for s in sets for f in s.files if f.is_sql and f.id in planned.files}
    with _Seeding.on(database, locks=locks, notify=notify, stop=stop) as run:
        for script in scripts.values():
            secrets = [name for name, is_secret in script.directives.variables.items() if is_secret]
            run.pipeline.keep_secret(given[name] for name in secrets)
            run.check_text(script)
        run.begin("seed", len(planned.files), _source(sets))
        for _ in range(_MOST_CONFLICTS):
            entries, tasks = _compare(sets, run.records(), again)
            if not tasks or run.run_all(tasks, scripts):
                break
        else:
            raise Refused(
                f"other runs record the same seeds again and again in schema {run.ledger.schema}",
                hint="look at the policies and triggers of " + _TABLE,
            )
        return SeedResult(
            database.label,
            run.ledger.schema,
            run.ledger.server_version,
            tuple(run.seeded),
            sum(e.state is not State.MISSING for e in entries) - len(run.seeded),
            tuple(run.sequences),
            (time.monotonic() - began) * 1000,
        )


def _compare(
    sets: Sequence[SeedSet], records: Sequence[_Record], again: Again | None = None
) -> tuple[tuple[SeedEntry, ...], tuple[_Task, ...]]:
    """The entries, and what is to be done.

    A file that was only renamed is known by its text, unless its name says now that its rows are for another table.
    """
    entries: list[SeedEntry] = []
    tasks: list[_Task] = []
    for one in sets:
        known = {r.name: r for r in records if r.set == one.name}
        names = {f.name for f in one.files}
        gone = [r for r in known.values() if r.name not in names]
        for file in one.files:
            record = known.get(file.name) or next((r for r in gone if r.is_of(file)), None)
            if record is None:
                entries.append(SeedEntry(one.name, file.name, State.PENDING))
                tasks.append(_Task(file))
                continue
            if record in gone:
                gone.remove(record)
            is_same = record.checksum == file.checksum
            old = record.name if record.name != file.name else None
            state = State.APPLIED if is_same else State.CHANGED
            entries.append(SeedEntry(one.name, file.name, state, record.applied_at, old))
            runs = again is Again.ALL or (again is Again.CHANGED and not is_same)
            if runs or old:
                tasks.append(_Task(file, record, runs))
        left = sorted(gone, key=lambda r: r.name)
        entries += [SeedEntry(one.name, r.name, State.MISSING, r.applied_at) for r in left]
    return tuple(entries), tuple(tasks)


def _source(sets: Sequence[SeedSet]) -> str:
    """The folders that they are in."""
    return ", ".join(dict.fromkeys(os.path.dirname(one.directory) for one in sets))


def _as_migration(file: SeedFile) -> Migration:
    return Migration(file.id, file.path, file.checksum)


def _load(file: SeedFile, variables: Mapping[str, str]) -> Script:
    script = load_script(_as_migration(file).with_values(variables))
    script.refuse_doubtful()
    if script.directives.is_transactional is False:
        raise BadMigrationFile(
            f"{file.path} says -- transactional: false, and all seeds of a run are one transaction",
            hint="remove the line; what cannot run in a transaction belongs into a migration",
            location=Location(file.path, 1),
        )
    return script


class _Again(Exception):
    """The transaction was rolled back, and is to be tried once more."""


class _Seeding(Session):
    """A session that runs seeds."""

    def __init__(self, *args: object, **options: object) -> None:
        super().__init__(*args, **options)  # type: ignore[arg-type]
        self.seeded: list[Seeded] = []
        self.sequences: list[tuple[str, int]] = []

    def records(self, lock_timeout_ms: int | None = None) -> tuple[_Record, ...]:
        """What is recorded of all sets.  Raise as `patiently` does."""
        if _TABLE not in self.ledger.own:
            return ()
        query = Command(self._sql("seed_read"), keeps_rows=True)
        rows = self.patiently(lambda ms: self.must([*no_longer(ms), query]), lock_timeout_ms).rows[-1]
        return tuple(_Record(of or "", name or "", checksum or "", at or "") for of, name, checksum, at in rows)

    def _sql(self, name: str, moment: LiteralString = "") -> str:
        schema = sql.Identifier(self.ledger.schema)
        return sql.SQL(load_sql("engine", name)).format(schema=schema, moment=sql.SQL(moment)).as_string()

    def run_all(self, tasks: Sequence[_Task], scripts: dict[str, Script]) -> bool:
        """Run these and commit.  Say False where somebody else has recorded one of them meanwhile."""
        if not self.ledger.is_complete:
            timeout_ms = self.locks.of(None)
            self.make(lambda: create_ledger(self.pipeline, self.ledger, lock_timeout_ms=timeout_ms))
        self.make(lambda: create_own(self.pipeline, self.ledger, "seed_create"))
        tries = self.tries()
        while True:
            tries.count += 1
            self.seeded, self.sequences = [], []
            try:
                if not self._record(tasks, tries):
                    return False
                for task in tasks:
                    if task.runs:
                        self._run(task.file, scripts.get(task.file.id), tasks, tries)
                self._finish(tasks[-1].file, tries)
                return True
            except _Again:
                continue
            except BaseException:
                self.seeded, self.sequences = [], []
                raise

    def _record(self, tasks: Sequence[_Task], tries: Tries) -> bool:
        """Begin the transaction with the records.  Say False where they are not as they were read."""
        m = _as_migration(tasks[0].file)
        self.start(m)
        commands = [
            BEGIN,
            *self.named,
            *self.set_local({"lock_timeout": str(self.locks.of(None) or LOCK_TIMEOUT_MS)}),
        ]
        opening = len(commands)
        for t in tasks:
            if t.record is None:
                commands.append(Command(self._sql("seed_insert"), (t.file.set, t.file.name, t.file.checksum)))
            else:
                key = (t.file.set, t.record.name, t.record.applied_at)
                text = self._sql("seed_replace", moment=_NOW if t.runs else "s.applied_at_utc")
                commands.append(Command(text, (*key, t.file.name, t.file.checksum), keeps_rows=True))
        outcome = self.pipeline.exchange(commands)
        error = outcome.error
        if error is None:
            replaced = zip(tasks, outcome.rows[opening:], strict=True)
            if all(rows for t, rows in replaced if t.record is not None):
                return True
            self.settle(ROLLBACK)
            return False
        self._give_up()
        if error.sqlstate == "23505":
            return False
        if error.sqlstate in RETRIED or error.sqlstate == "57014":
            self.pause_for_ledger(m, error, tries)
            raise _Again
        if error.sqlstate in LEDGER_GONE:
            self.ledger = replace(self.ledger, own=self.ledger.own - {_TABLE})
        raise self.ledger_error(error)

    def _give_up(self) -> None:
        """Roll back; raise `Interrupted` where a stop was asked for."""
        self.settle(ROLLBACK)
        if self.stop.is_requested:
            stopped = self.stopped("all of it was rolled back")
            stopped.hint = "run it again: it begins anew"
            raise stopped

    def _run(self, file: SeedFile, script: Script | None, tasks: Sequence[_Task], tries: Tries) -> None:
        """Run one file, in a session as it was at the beginning."""
        m, began = _as_migration(file), time.monotonic()
        self.check_stop()
        self.start(m, goes_on=True)
        self.script = script
        before = [Command("RESET ALL"), *self.as_ourselves(), *self.named, *self.set_local(self.settings(m))]
        numbers: list[int] = []
        if script is not None:
            again = self.commands_again(m, script)
            commands = list(before)
            numbers = [-1] * len(before)
            for number, statement in enumerate(script.statements):
                run = [self.command(statement), *again.get(number, ())]
                commands += run
                numbers += [number] * len(run)
            error = self.pipeline.exchange(commands).error
        else:
            rows = Rows(file)
            try:
                error = self.pipeline.exchange([*before, Command(file.copy, data=rows)]).error
            finally:
                is_whole = rows.close()
            if error is None and not is_whole:
                self.settle(ROLLBACK)
                raise rows.changed()
        if error is not None:
            self._give_up()
            failing = numbers[error.index] if error.index < len(numbers) else -1
            shown = script or Script(file.path, b"", file.checksum, Statements(b""))
            if error.sqlstate in RETRIED:
                self.pause_or_give_up(m, shown, error, failing if failing >= 0 else None, tries)
                raise _Again
            raise _failed(file, shown, error, failing, [t.file for t in tasks if t.runs])
        copied = None if script is not None else self.pipeline.copied
        statements = len(script.statements) if script is not None else 1
        self.seeded.append(Seeded(file.id, (time.monotonic() - began) * 1000, statements, copied))

    def _finish(self, last: SeedFile, tries: Tries) -> None:
        """Do what is left for COMMIT, set the sequences behind the rows, and commit."""
        lagging = Command(load_sql("engine", "seed_sequences"), keeps_rows=True)
        outcome = self.pipeline.exchange([SETTLE, Command("RESET ALL"), *self.named, *self.as_ourselves(), lagging])
        error = outcome.error
        if error is None:
            behind = [(name or "", _advance(row)) for row in outcome.rows[-1] for name in row[:1]]
            outcome = self.pipeline.exchange([Command(text, keeps_rows=True) for _, text in behind])
            error = outcome.error
        if error is None:
            moved = zip(behind, outcome.rows, strict=True)
            self.sequences = [(name, int(row[0] or 0)) for (name, _), rows in moved for row in rows]
            outcome = self.pipeline.exchange([COMMIT, *self.to_disk, DISCARD])
            error = outcome.error
            if error is not None and error.index > 0:
                self.settle(ROLLBACK)  # it is committed; a cancel request came late
                error = None
        if error is None:
            self.current = None
            return
        self._give_up()
        m, shown = _as_migration(last), Script(last.path, b"", last.checksum, Statements(b""))
        if error.sqlstate in RETRIED:
            self.pause_or_give_up(m, shown, error, None, tries)
            raise _Again
        made = failure(f"the seeds failed at COMMIT: {error.message}", _hint(error, last, []), m, shown, error=error)
        made.location = None
        raise made


def _advance(row: tuple[str | None, ...]) -> str:
    """The statement that sets a sequence behind the rows of its column; the names are quoted already."""
    name, relation, column, side, least, most = (part or "" for part in row)
    return (
        sql.SQL(load_sql("engine", "seed_advance"))
        .format(
            name=sql.Literal(name),
            sequence=sql.SQL(name),
            relation=sql.SQL(relation),
            column=sql.SQL(column),
            side=sql.SQL("min" if side == "min" else "max"),
            beyond=sql.SQL("pg_catalog.<" if side == "min" else "pg_catalog.>"),
            least=sql.Literal(least),
            most=sql.Literal(most),
        )
        .as_string()
    )


_LINE_OF_COPY = re.compile(r"(\bCOPY .*?, [^\s\d]+ )(\d+)")
_MISSING_KEY = re.compile(r'not present in table "((?:[^"]|"")+)"')


def _failed(
    file: SeedFile, script: Script, error: ServerError, number: int, files: Sequence[SeedFile]
) -> MigrationFailed:
    """The error for a file that PostgreSQL refused, in its statement ``number`` or at a line of its rows."""
    hint = _hint(error, file, files, script)
    if not file.is_sql:
        at = _LINE_OF_COPY.search(error.context)
        line = file.first_line + int(at[2]) - 1 if at else 1
        if at:
            error = replace(error, context=_LINE_OF_COPY.sub(rf"\g<1>{line}", error.context, count=1))
        made = failure(
            f"{file.id} failed: {error.message}",
            hint,
            _as_migration(file),
            script,
            error=error,
            location=Location(file.path, line, 1),
        )
        made.statement = file.copy
        made.source_line = _line_of(file.path, line)
        return made
    statement = script.statements[number] if 0 <= number < len(script.statements) else None
    place = f" in statement {number + 1} of {len(script.statements)}" if statement else ""
    at_word = row_of_copy(statement, error, statement.location(file.path, error.position)) if statement else None
    message = f"{file.id} failed{place}: {error.message}"
    return failure(message, hint, _as_migration(file), script, statement=statement, error=error, location=at_word)


# Of a longer line only the beginning is shown.
_SHOWN = 200


def _line_of(path: str, line: int) -> str:
    with open(path, encoding="utf-8-sig", errors="replace", newline="\n") as stream:
        return next((text.rstrip("\r\n")[:_SHOWN] for n, text in enumerate(stream, 1) if n == line), "")


def _hint(error: ServerError, file: SeedFile, files: Sequence[SeedFile], script: Script | None = None) -> str:
    if error.sqlstate == "23503":
        return _hint_for_key(error, file, files)
    if error.keeps_waiting:
        return f"load fewer rows at once, in several sets, or let others wait longer: --block-timeout 30s; {_NOTHING}"
    said = _HINTS.get(error.sqlstate, "") if not file.is_sql else ""
    if not said and error.sqlstate == "23505":
        said = "a row with this key is there already: correct the file, or delete that row"
    if not said:
        statements = script.statements if script is not None else ()
        said = remedy(error, before=statements[:0], keeps_nothing=False)
    return f"{said}; {_NOTHING}"


_HINTS = {
    "42P01": "the file's name says the table, as the catalog spells it (SCHEMA.TABLE where it is in another schema)",
    "3F000": "the file's name says the schema and the table, as the catalog spells them",
    "42703": "the first line names the columns, as the catalog spells them: upper case counts, and so do blanks",
    "42P10": "PostgreSQL makes the values of that column itself: leave it out of the file",
    "42809": "rows go into tables only: name the file after the table; or write INSERT into a file of SQL",
    "0A000": "COPY does not go there: write INSERT into a file of SQL; with row-level security, run it as the owner",
    "22P04": "each line needs one value for each column of the first line; a value with a comma stands in quotes",
    "22P02": "correct the value; an empty one without quotes is NULL",
    "23502": 'an empty value without quotes is NULL, and "" is an empty text',
}


def _hint_for_key(error: ServerError, file: SeedFile, files: Sequence[SeedFile]) -> str:
    """What to do where rows point to others that are not there: those may come in a later file."""
    found = _MISSING_KEY.search(error.detail)
    table = found[1] if found else ""
    ids = [f.id for f in files]
    later = [f for f in files[ids.index(file.id) + 1 :] if f.table[-1:] == (table,)] if file.id in ids else []
    if later:
        return (
            f"{later[0].id} has rows of {table}, and comes behind: files run in the order of their names, "
            f"so give it a lower number; {_NOTHING}"
        )
    return (
        f"the rows that it points to must come first, from a file whose name sorts before this one; are they there? "
        f"{_NOTHING}"
    )

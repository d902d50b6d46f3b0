"""Proves an import: the folder as its own tool runs it, and the files of ours, make the same of an empty database.

Hides how another tool sends a file: as one message, cut in its own way, or statement by statement as psql does.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.connect.database import Database, put_schema_first
from wflo_schema.connect.pipeline import Command, Pipeline, ServerError
from wflo_schema.engine import operations
from wflo_schema.engine.confinement import Confinement, confinement_of
from wflo_schema.errors import BadMigrationFile, MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migration, Migrations
from wflo_schema.files.script import Script, Statements
from wflo_schema.files.splitting import pieces
from wflo_schema.imports.source import Section, Source
from wflo_schema.imports.writing import Imported
from wflo_schema.scratch.replay import ScratchOptions, scratch_database
from wflo_schema.squash.proof import Made, changing_columns, line_of, look_at, unlike

_NOTHING_FED = memoryview(b"")


@dataclass(frozen=True, slots=True)
class Said:
    """What the proof has to say of one migration, or, without an ``id``, of all."""

    id: str
    what: str
    is_open: bool = True


@dataclass(frozen=True, slots=True)
class Proof:
    """What was replayed, and what came of it.

    ``replayed`` counts the migrations that were run both ways; ``is_equal`` says that both then made the same
    ``objects``, and the same rows in ``filled`` tables and sequences, but for the columns ``not_compared``, which
    differ from run to run of the same files.  ``rolled_back`` counts those that were rolled back, both ways, and
    applied again.  ``said`` names what differs, and what cannot be replayed.
    """

    label: str
    total: int
    replayed: int
    is_equal: bool
    objects: int
    filled: int
    rolled_back: int
    with_rollback: int
    not_compared: tuple[str, ...] = ()
    said: tuple[Said, ...] = ()

    @property
    def is_whole(self) -> bool:
        """Were all of them replayed, with the same result?"""
        return self.is_equal and self.replayed == self.total


class _SourceRun:
    """A database in which the folder is run as its own tool runs it."""

    def __init__(self, source: Source, database: Database) -> None:
        self._source = source
        self._database = database
        self._connection = database.connect()
        put_schema_first(self._connection, database.schema)
        self._pipeline = Pipeline(self._connection)
        self._confinement: Confinement | None = confinement_of(database)
        self._script: Script | None = None
        load = self._loaded
        self._load = self._confinement.loader(load, self._pipeline, _say_nothing) if self._confinement else load

    def _loaded(self, _: Migration) -> Script:
        assert self._script is not None
        return self._script

    def close(self) -> None:
        """End its session."""
        self._pipeline.close()

    def run(self, id: str, section: Section) -> str:
        """Run one section; return what PostgreSQL refused, or nothing."""
        ledger = self._source.makes.partition(" ")[0]
        sent = section.text if section.cut is None else b"\n".join(section.cut(section.text))
        if not ledger or ledger.encode() not in sent:
            return self._run(id, section)
        self._exchange([Command(f"CREATE TABLE IF NOT EXISTS {self._source.makes}")])
        error = self._run(id, section)
        self._exchange([Command(f"DROP TABLE IF EXISTS {ledger}")])
        return error

    def _run(self, id: str, section: Section) -> str:
        texts = self._confined(id, section)
        look = list(self._confinement.look) if self._confinement is not None else []
        if section.is_wrapped:
            error = self._exchange([Command("BEGIN"), *texts, *look, Command("COMMIT")])
            if error:
                self._pipeline.exchange([Command("ROLLBACK")])
        else:
            error = next((e for text in texts if (e := self._exchange([text]))), "")
            if error:
                self._pipeline.exchange([Command("ROLLBACK")])
            error = error or self._exchange(look)
        if not self._source.keeps_session:
            self._pipeline.exchange([Command("RESET SESSION AUTHORIZATION"), Command("RESET ALL")])
            self._put_schema_first()
        return error

    def _put_schema_first(self) -> None:
        if self._database.schema is not None:
            setting = Command("SELECT pg_catalog.set_config('search_path', $1, FALSE)", (self._database.schema,))
            self._pipeline.exchange([setting])

    def _exchange(self, commands: Sequence[Command]) -> str:
        found: ServerError | None = self._pipeline.exchange(commands).error if commands else None
        if found is None:
            return ""
        refused = self._confinement.refusal(self._script, found, None) if self._confinement and self._script else None
        return f"{refused.message.splitlines()[0]}; {refused.hint}" if refused is not None else found.message

    def _confined(self, id: str, section: Section) -> list[Command]:
        """What is sent of a section, without what reaches beyond the database."""
        texts = [section.text] if section.cut is None or section.is_psql else list(section.cut(section.text))
        made: list[Command] = []
        for text in texts:
            statements = Statements(text)
            for piece in pieces(section.path, text):
                statements.add(*piece)
            self._script = Script(section.path, text, "", statements)
            script = self._load(Migration(id, section.path, "", is_transactional=section.is_wrapped))
            if section.is_psql:
                made += [Command(s.raw, data=_data_of(script.source, s.data)) for s in script.statements]
            elif script.statements or section.cut is None:
                made.append(Command(script.source, data=_NOTHING_FED))
        return made


def _say_nothing(_: object) -> None:
    """What is left out of both replays is told by ours."""


def _data_of(source: bytes, place: tuple[int, int] | None) -> memoryview | None:
    return None if place is None else memoryview(source)[place[0] : place[1]]


def prove(
    server: Database,
    source: Source,
    imported: Sequence[Imported],
    migrations: Migrations,
    *,
    scratch: ScratchOptions | None = None,
) -> Proof:
    """Replay the folder as its tool runs it, and the files of ours, in scratch databases, and compare the two.

    Both go as far as the first migration that waits for a person, or that one of them refuses; then down as far as
    there are undo parts, and up again.  Raise as `scratch_database` does.
    """
    steps = [one for one in imported if not one.is_open]
    steps = steps[: next((n for n, one in enumerate(imported) if one.is_open), len(steps))]
    said: list[Said] = []
    with _both(server, source, scratch) as (theirs, ours, theirs_run):
        base = look_at(ours)
        steps = _run_both(theirs_run, ours, steps, migrations, said)
        want = look_at(theirs)
        have = look_at(ours)
        found = unlike(have, want)
        changing: Mapping[str, frozenset[str]] = {}
        if found.tables and steps:
            with scratch_database(server, scratch=scratch) as again:
                operations.migrate(again, migrations, to=steps[-1].id)
                changing = changing_columns(have, look_at(again))
            if changing:
                found = unlike(look_at(ours, without=changing), look_at(theirs, without=changing))
        said += [Said("", f"made otherwise than {source.tool} makes it: {line}") for line in found.lines]
        rolled_back, with_rollback = 0, 0
        if steps:
            rolled_back, with_rollback = _down_and_up(
                theirs_run, (theirs, ours), steps, migrations, (base, have, changing), said
            )
    return Proof(
        server.label,
        len(imported),
        len(steps),
        not found.lines,
        len(want.catalog.objects),
        want.filled,
        rolled_back,
        with_rollback,
        tuple(f"{table}.{column}" for table, columns in sorted(changing.items()) for column in sorted(columns)),
        tuple(said),
    )


@contextmanager
def _both(
    server: Database, source: Source, scratch: ScratchOptions | None
) -> Iterator[tuple[Database, Database, _SourceRun]]:
    with scratch_database(server, scratch=scratch) as theirs, scratch_database(server, scratch=scratch) as ours:
        run = _SourceRun(source, theirs)
        try:
            yield theirs, ours, run
        finally:
            run.close()


def _run_both(
    theirs: _SourceRun, ours: Database, steps: Sequence[Imported], migrations: Migrations, said: list[Said]
) -> list[Imported]:
    """Apply as many as both ways take; return these."""
    done = len(steps)
    for n, one in enumerate(steps):
        error = _guarded(theirs, one.id, one.forward.sent)
        if error:
            said.append(Said(one.id, f"its own tool fails here as well, on this server: {error}"))
            done = n
            break
    if done == 0:
        return []
    try:
        operations.migrate(ours, migrations, to=steps[done - 1].id)
    except _FAILURES as error:
        said.append(Said(_id_of(error), f"runs as its own tool runs it, and not here: {error.message.splitlines()[0]}"))
        recorded = {e.id for e in operations.status(ours, migrations).entries if e.applied_at is not None}
        done = sum(one.id in recorded for one in steps[:done])
    return list(steps[:done])


def _guarded(theirs: _SourceRun, id: str, section: Section) -> str:
    """Run one section the other tool's way; return why it fails, or nothing."""
    try:
        return theirs.run(id, section)
    except WfloSchemaError as error:
        return error.message.splitlines()[0]


def _down_and_up(
    theirs: _SourceRun,
    databases: tuple[Database, Database],
    steps: Sequence[Imported],
    migrations: Migrations,
    made: tuple[Made, Made, Mapping[str, frozenset[str]]],
    said: list[Said],
) -> tuple[int, int]:
    """Roll back, both ways, what has an undo part, from the last on; compare; apply again.

    Return how many came back the same, and how many have such a part.
    """
    base, have, changing = made
    back: list[Imported] = []
    for one in reversed(steps):
        if one.undo is None or one.undo.is_open:
            break
        back.append(one)
    with_rollback = sum(one.undo is not None for one in steps)
    if not back:
        return 0, with_rollback
    failed = ""
    for one in back:
        assert one.undo is not None
        undo = one.undo
        error = "" if undo.is_empty else _guarded(theirs, one.id, undo.sent)
        if error:
            failed = one.id
            said.append(Said(one.id, f"its rollback fails, with its own tool as well: {error}"))
            break
    count = next((n for n, one in enumerate(back) if one.id == failed), len(back))
    try:
        if count:
            operations.rollback(databases[1], migrations, count=count)
    except _FAILURES as error:
        said.append(Said(_id_of(error), f"its rollback fails here: {error.message.splitlines()[0]}"))
        return 0, with_rollback
    left = look_at(databases[1], without=changing)
    found = unlike(left, look_at(databases[0], without=changing))
    said += [Said("", f"rolled back otherwise than its own tool does: {line}") for line in found.lines]
    if count == len(steps):
        said += [Said("", f"after all rollbacks: {line}", is_open=False) for line in unlike(left, base).lines]
    if count:
        try:
            operations.migrate(databases[1], migrations, to=steps[-1].id)
        except _FAILURES as error:
            what = f"cannot be applied again after its rollback: {error.message.splitlines()[0]}"
            said.append(Said(_id_of(error), what, is_open=False))
            return count, with_rollback
        again = compare_catalogs(look_at(databases[1]).catalog, have.catalog)
        said += [Said("", f"rolled back and applied again: {line_of(d)}", is_open=False) for d in again]
    return count, with_rollback


_FAILURES = (MigrationFailed, BadMigrationFile, Refused)


def _id_of(error: WfloSchemaError) -> str:
    return error.migration_id if isinstance(error, MigrationFailed) else ""

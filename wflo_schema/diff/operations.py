"""What separates two databases, files or snapshots, as SQL and its rollback, proven in a scratch database."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg

from wflo_schema.catalog.changing import Statement, change_statements
from wflo_schema.catalog.making import making_statements
from wflo_schema.catalog.objects import Catalog, Difference
from wflo_schema.catalog.read import read_catalog, read_migrated
from wflo_schema.connect.database import PATIENT, Database, database_error
from wflo_schema.connect.schemas import refuse_missing_schema
from wflo_schema.diff.leading import Connection, Way, compared, lead, take_back
from wflo_schema.diff.renames import Wishes
from wflo_schema.diff.repeated import Edit, Owned, failing, owned, without_file
from wflo_schema.diff.writing import is_body, sql_of, unchecked
from wflo_schema.engine import operations
from wflo_schema.engine.repeatables import RepeatableEntry
from wflo_schema.errors import MigrationFailed, Refused, WfloSchemaError
from wflo_schema.files.folder import Migrations, read_migrations
from wflo_schema.files.naming import name_after, slug_of, write_pair
from wflo_schema.scratch.replay import ScratchOptions, as_in_target, replay, scratch_databases
from wflo_schema.words import counted, listed, release


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A file of wflo-schema dump, and the catalog in it."""

    path: Path
    catalog: Catalog


Source = Migrations | Database | Snapshot


@dataclass(frozen=True, slots=True)
class Diff:
    """What leads from one source to another, and back.

    ``differences`` are those found; ``remaining`` and ``remaining_back`` those that the statements leave, ``failure``
    and ``failure_back`` what PostgreSQL refused.  ``is_proven``: a scratch database was led there and back.
    ``is_tried``: there was a server for it.  ``notes`` say what could not be told; ``id`` and ``paths`` are of what was
    written, and ``next_step`` is what to type then.  ``edits`` belong into repeatable files, and not into a migration.
    """

    start: str
    goal: str
    differences: tuple[Difference, ...]
    statements: tuple[Statement, ...] = ()
    rollback: tuple[Statement, ...] = ()
    remaining: tuple[Difference, ...] = ()
    remaining_back: tuple[Difference, ...] = ()
    failure: str = ""
    failure_back: str = ""
    is_proven: bool = False
    is_tried: bool = True
    notes: tuple[str, ...] = ()
    id: str = ""
    paths: tuple[Path, ...] = ()
    next_step: str = ""
    edits: tuple[Edit, ...] = ()

    @property
    def is_equal(self) -> bool:
        """Whether there is nothing to write."""
        return not (self.differences or self.edits)

    @property
    def losses(self) -> tuple[str, ...]:
        """Which data the statements take away for good."""
        return tuple(one for s in self.statements for one in s.loses)


def diff_catalogs(start: Snapshot, goal: Snapshot, *, wishes: Wishes | None = None) -> Diff:
    """Compare two snapshots without a server: nothing is proven.

    Raise `Refused` where something may have been renamed, which only a server can follow.
    """
    wishes = wishes or Wishes()
    have, want = start.catalog, goal.catalog
    chosen = wishes.next(have, want)
    if chosen is not None:
        raise Refused(
            f"the rename {chosen.option} can only be followed on a server, and none is named",
            hint="name one on which scratch databases may be made: --scratch-url URL",
        )
    wishes.refuse_unused()
    forward, back = change_statements(have, want), change_statements(want, have)
    notes = want.notes_of_version(have.server_version)
    return Diff(
        str(start.path),
        str(goal.path),
        compared(have, want),
        _as_made_together(forward.statements),
        _as_made_together(back.statements),
        forward.undone,
        back.undone,
        is_tried=False,
        notes=notes,
    )


def _as_made_together(statements: tuple[Statement, ...]) -> tuple[Statement, ...]:
    """With bodies that no server has read: one may name what is made after it."""
    is_alone = sum(s.text.startswith("CREATE ") for s in statements) < 2
    return tuple(s if is_alone or not is_body(s) else unchecked(s) for s in statements)


def diff(
    server: Database,
    start: Source,
    goal: Source,
    *,
    scratch: ScratchOptions | None = None,
    wishes: Wishes | None = None,
    privileges: bool = False,
    name: str = "",
) -> Diff:
    """Say with which statements ``start`` becomes ``goal``, and which take that back; run both in a scratch database.

    The scratch databases are made on ``server``, or where ``scratch`` says.  ``privileges`` compares owners and grants
    as well.  With ``name`` the two files are written into the folder of ``start``, which must be migrations, once they
    were run there and rolled back.

    Raise `Refused` where something may have been renamed, where migrations are pending in ``goal``, and, with ``name``,
    where the files do not lead there and back.
    """
    wishes = wishes or Wishes()
    entries: tuple[RepeatableEntry, ...] = ()
    if isinstance(start, Migrations) and isinstance(goal, Database):
        entries = _refuse_behind(goal, start)
    with scratch_databases(server, scratch=scratch) as made:
        one = _Diffing(server, scratch, made.new, privileges)
        is_apart = (
            isinstance(start, Migrations) and bool(start.repeatables or entries) and not isinstance(goal, Migrations)
        )
        base, notes = one.filled(start, is_versioned_only=is_apart)
        have = one.read(base)
        everything, more = one.catalog_of(goal, have)
        own = owned(start, entries, have, everything) if is_apart and isinstance(start, Migrations) else Owned()
        want = own.without(everything, have)
        found = Diff(_label(start), _label(goal), compared(have, want), is_proven=True, notes=(*notes, *more))
        if found.differences:
            found = one.led(found, base, have, want, wishes)
        wishes.refuse_unused()
        if name and found.differences:
            assert isinstance(start, Migrations)
            found = _written(found, one, base, start, have, want, name)
        if is_apart and found.is_proven:
            assert isinstance(start, Migrations)
            found = replace(found, edits=one.edits(base, start, found.statements, own, everything))
        if name and not found.differences and found.edits:
            raise Refused(
                "what differs is made by repeatable files, and belongs into these: "
                + listed(sorted({e.path or "a new one" for e in found.edits})),
                hint="see what without --write",
            )
        return found


class _Diffing:
    """Fills and reads scratch databases."""

    def __init__(
        self, server: Database, scratch: ScratchOptions | None, new: Callable[[], list[Database]], privileges: bool
    ) -> None:
        self.server, self.scratch, self.new, self.privileges = server, scratch, new, privileges

    def filled(self, source: Source, *, is_versioned_only: bool = False) -> tuple[Database, tuple[str, ...]]:
        """A scratch database that holds what a source does, and what of that could not be made."""
        (base,) = self.new()
        if is_versioned_only:
            assert isinstance(source, Migrations)
            return self._versioned(base, source), ()
        if isinstance(source, Migrations):
            replay(self.server, base, source, scratch=self.scratch)
            return base, ()
        catalog = self._read_source(source, None)
        return base, self._make(base, catalog, _label(source))

    def _versioned(self, base: Database, files: Migrations) -> Database:
        """A scratch database with what the migrations make, and no repeatable file does."""
        bare = replace(files, repeatables=())
        if not files.items:
            return base
        try:
            replay(self.server, base, bare, scratch=self.scratch)
        except MigrationFailed:
            if not files.hooks:
                raise
            (base,) = self.new()  # a hook may be about what a repeatable file makes
            replay(self.server, base, replace(bare, hooks=()), scratch=self.scratch)
        return base

    def led(self, found: Diff, base: Database, have: Catalog, want: Catalog, wishes: Wishes) -> Diff:
        """The difference with what leads there, and back."""
        forward, back = self.ways(base, have, want, wishes)
        return replace(
            found,
            statements=forward.statements,
            rollback=back.statements,
            remaining=forward.remaining,
            remaining_back=back.remaining,
            failure=forward.failure,
            failure_back=back.failure,
            is_proven=forward.is_complete and back.is_complete,
        )

    def edits(
        self, base: Database, files: Migrations, statements: tuple[Statement, ...], own: Owned, want: Catalog
    ) -> tuple[Edit, ...]:
        """What the repeatable files do not make as it is wanted, once the statements were run."""
        with base.connect() as connection:
            connection.execute(sql_of(statements).encode())
        left, failures = operations.with_recorded_values(self.server, files), dict[str, str]()
        while left.repeatables:
            try:
                operations.migrate(base, left)
                break
            except WfloSchemaError as error:
                path = failing(left, error.message)
                if not path and left.hooks:
                    left = replace(left, hooks=())
                    continue
                if not path:
                    raise
                failures[path] = error.message
                left = without_file(left, path)
        return own.edits(change_statements(self.read(base), want).statements, failures)

    def _make(self, base: Database, catalog: Catalog, label: str) -> tuple[str, ...]:
        statements, left_out = making_statements(catalog)
        text = "\n".join(("SET check_function_bodies = off;", "SET search_path = '';", *statements))
        with base.connect() as connection:
            try:
                connection.execute(text.encode())
            except psycopg.Error as error:
                version = release(connection.info.server_version)
                raise Refused(
                    f"what {label} holds cannot be made on PostgreSQL {version}: {error.diag.message_primary or error}",
                    hint="name a server of its version for the scratch databases: --scratch-url URL",
                ) from error
        return tuple(f"cannot tell, as no statement makes it in {label}: {one}" for one in left_out)

    def read(self, base: Database) -> Catalog:
        with base.connect() as connection:
            return self._read_open(base, connection)

    def _read_open(self, base: Database, connection: Connection, *, privileges: bool = False) -> Catalog:
        schemas = (self.server.schema,) if self.server.schema else None
        is_said = privileges or self.privileges
        found = read_catalog(connection, schemas=schemas, privileges=is_said, apart=base.ledger_apart)
        return as_in_target(base, found)

    def _read_source(self, source: Database | Snapshot, wanted: Catalog | None) -> Catalog:
        if isinstance(source, Snapshot):
            return source.catalog
        refuse_missing_schema(source)
        schemas = (source.schema,) if source.schema else None
        with source.connect(settings=PATIENT) as connection:
            apart = source.ledger_apart
            return read_migrated(connection, schemas=schemas, privileges=self.privileges, wanted=wanted, apart=apart)

    def catalog_of(self, source: Source, have: Catalog) -> tuple[Catalog, tuple[str, ...]]:
        """What a source holds, as a server of the version of ``have`` prints it."""
        if isinstance(source, Migrations):
            base, notes = self.filled(source)
            return self.read(base), notes
        found = self._read_source(source, have)
        if not have.notes_of_version(found.server_version):
            return found, ()
        (base,) = self.new()
        notes = self._make(base, found, _label(source))
        version, there = release(have.server_version), release(found.server_version)
        said = f"{_label(source)} is on PostgreSQL {there}: its catalog was made and read on {version}"
        return self.read(base), (said, *notes)

    def ways(self, base: Database, have: Catalog, want: Catalog, wishes: Wishes) -> tuple[Way, Way]:
        """What leads there, and back; nothing of it stays."""
        with base.connect() as connection:

            def read() -> Catalog:
                return self._read_open(base, connection)

            def rights() -> Catalog:
                return self._read_open(base, connection, privileges=True)

            again = None if self.privileges else rights
            try:
                with connection.transaction(force_rollback=True):
                    forward = lead(connection, want, read, wishes, rights=again)
                    if forward.failure:
                        return forward, Way()
                    return forward, take_back(connection, have, read, forward.renamings, rights=again)
            except psycopg.Error as error:
                raise database_error(error, "running the statements in a scratch database") from error


def _label(source: Source) -> str:
    if isinstance(source, Migrations):
        return source.where
    return source.label if isinstance(source, Database) else str(source.path)


def _refuse_behind(target: Database, files: Migrations) -> tuple[RepeatableEntry, ...]:
    """Refuse where migrations are pending; return what is recorded of the repeatable files."""
    status = operations.status(target, files)
    if status.has_ledger and status.applied and status.pending:
        pending = [e.id for e in status.pending]
        raise Refused(
            f"{counted(len(pending), 'migration')} of the files "
            f"{'is' if len(pending) == 1 else 'are'} pending in {target.label}: {listed(pending)}; "
            "a difference would take back what they make",
            hint="apply them first: wflo-schema migrate; or, where it has them from elsewhere, record them: "
            f"wflo-schema baseline --to {pending[-1]}",
        )
    return status.repeatables


def _written(
    found: Diff, one: _Diffing, base: Database, files: Migrations, have: Catalog, want: Catalog, name: str
) -> Diff:
    if not found.is_proven:
        raise _not_proven(found)
    title = " ".join(name.split())
    slug = slug_of(name)
    if not slug:
        raise Refused("a migration needs a few words that say what it does", hint='--name "add weights"')
    if len(files.directories) > 1:
        raise Refused(
            f"the migrations are in several folders, and a new one goes into one: {files.where}",
            hint="name it alone: --migrations DIR",
        )
    stem, files = name_after(files, slug), replace(files, repeatables=())
    forward = f"-- {title}\n\n{sql_of(found.statements)}"
    back = f"-- undo: {title}\n\n{sql_of(found.rollback)}"
    with _with_new(files, stem, forward, back) as all_:
        try:
            operations.migrate(base, all_)
            there = compared(one.read(base), want)
            operations.rollback(base, all_)
            again = compared(one.read(base), have)
        except MigrationFailed as error:
            raise Refused(f"the files do not run as they would be written: {error.message}", hint=error.hint) from error
    if there or again:
        raise _not_proven(replace(found, remaining=there, remaining_back=again))
    paths = write_pair(Path(files.directories[0]) / stem, forward, back)
    return replace(found, id=stem, paths=paths, next_step=f"wflo-schema baseline --to {stem}")


def _line_of(d: Difference) -> str:
    return f"  {d.kind} {d.object}{f' {d.attribute}' if d.attribute else ''}: have {d.have}, want {d.want}"


def _not_proven(found: Diff) -> WfloSchemaError:
    lines, back = (list(map(_line_of, some)) for some in (found.remaining, found.remaining_back))
    said = ["the statements do not lead there and back in a scratch database, and nothing was written"]
    said += [f"PostgreSQL refused: {f}" for f in (found.failure, found.failure_back) if f]
    said += ["what would still differ:", *lines] if lines else []
    said += ["what the rollback would leave:", *back] if back else []
    return Refused(
        "\n".join(said), hint="see the statements without --write, and write the rest by hand: wflo-schema new"
    )


@contextmanager
def _with_new(files: Migrations, stem: str, forward: str, back: str) -> Iterator[Migrations]:
    """The migrations, and the new one behind them, which is elsewhere."""
    with tempfile.TemporaryDirectory(prefix="wfd") as folder:
        write_pair(Path(folder, stem), forward, back)
        items = (*files, *read_migrations(folder))
        yield replace(files, items=items, _by_id={m.id: m for m in items})

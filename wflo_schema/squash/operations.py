"""Squash migrations: one file in their place, written only once replays have proven that it makes the same.

Hides in which ways it can be written, and in which order files are written and removed: whenever it is stopped, either
nothing has changed, or the folder is refused until the rest is removed.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wflo_schema.catalog.snapshot import dump_schema
from wflo_schema.connect.database import Database
from wflo_schema.engine import operations
from wflo_schema.engine.planning import State
from wflo_schema.errors import BadMigrationFile, DatabaseError, MigrationFailed, Refused
from wflo_schema.files.folder import Migration, Migrations, first_use, read_migrations
from wflo_schema.files.naming import BEFORE_WORDS, slug_of, write_pair, write_whole
from wflo_schema.scratch.replay import ScratchOptions, scratch_database
from wflo_schema.squash import rewriting
from wflo_schema.squash.proof import Made, Unlike, changing_columns, look_at, unlike
from wflo_schema.squash.rewriting import Kept
from wflo_schema.words import counted, listed, plural

# Differences that a refusal shows.
_MOST_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Squashed:
    """What was written, and what was proven.

    ``way`` is "catalog" where the file was written from the catalog, else "statements", and ``reason``
    why.  ``kept`` are statements that no catalog shows, ``left_out`` those that a new database does
    not need.  ``not_compared`` are columns whose values differ from run to run of the same files.
    """

    id: str
    paths: tuple[Path, ...]
    replaces: tuple[str, ...]
    way: str
    reason: str
    kept: tuple[Kept, ...]
    left_out: tuple[Kept, ...]
    objects: int
    tables_with_rows: int
    not_compared: tuple[str, ...]
    has_rollback: bool
    to_remove: tuple[Path, ...]
    is_removed: bool


@dataclass(frozen=True, slots=True)
class _Squash:
    """What is to be squashed: ``before`` and ``after`` are what stands around it; where it is replayed."""

    server: Database
    scratch: ScratchOptions | None
    migrations: Migrations
    before: tuple[Migration, ...]
    chosen: tuple[Migration, ...]
    after: tuple[Migration, ...]
    id: str

    def empty(self) -> AbstractContextManager[Database]:
        """A new scratch database."""
        return scratch_database(self.server, scratch=self.scratch)

    @property
    def replaces(self) -> tuple[str, ...]:
        """With those that a former squash has replaced."""
        return tuple(dict.fromkeys(i for m in self.chosen for i in (*m.replaces, m.id)))


def squash_migrations(
    server: Database,
    migrations: Migrations,
    to: str,
    *,
    since: str | None = None,
    message: str = "",
    remove: bool = False,
    scratch: ScratchOptions | None = None,
    target: Database | None = None,
) -> Squashed:
    """Write one migration, and its rollback file, in place of those from ``since`` (the first) to ``to``.

    The replays are made in scratch databases on ``server``, or where ``scratch`` says.  With ``remove``
    the files that it replaces are deleted once it is written.  ``target`` is a database in which none of them may be
    recorded with another text.

    Raise `Refused`, with nothing written, where the replays differ or one of them fails.
    """
    one = _choose(server, scratch, migrations, to, since, message)
    if target is not None:
        _refuse_changed(target, one)
    scripts = rewriting.read_scripts(one.chosen)
    rewriting.refuse_alone(scripts)
    kept, left_out = rewriting.kept_statements(scripts)
    with one.empty() as empty:
        base = _migrated_to(empty, migrations, one.before[-1] if one.before else None)
        want = _migrated_to(empty, migrations, one.chosen[-1])
        snapshot = dump_schema(empty)
        operations.migrate(empty, migrations)  # what is wrong with a later file is no fault of the new one
    ways = {
        "statements": rewriting.from_statements(one.chosen, scripts),
        "statements, enums whole": rewriting.from_statements(one.chosen, scripts, with_whole_enums=True),
    }
    if len(set(ways.values())) == 1:
        ways.popitem()
    if not one.before and server.schema is None:
        ways = {"catalog": rewriting.from_catalog(one.chosen, scripts, snapshot), **ways}
    way, forward, changing, reason = _proven_forward(one, ways, want)
    back = _proven_rollback(one, forward, base, want)
    paths, gone = _write(one, forward, back, remove=remove)
    return Squashed(
        one.id,
        paths,
        one.replaces,
        way,
        reason,
        kept,
        left_out,
        len(want.catalog.objects),
        want.filled,
        tuple(f"{table}.{column}" for table, columns in sorted(changing.items()) for column in sorted(columns)),
        back is not None,
        gone,
        remove,
    )


def _proven_forward(
    one: _Squash, ways: Mapping[str, str], want: Made
) -> tuple[str, str, Mapping[str, Collection[str]], str]:
    """The first way that makes the same, its text, what could not be compared, and why it is not the better way."""
    reason = (
        "" if "catalog" in ways else "it builds on earlier migrations, or --schema may put its tables into any schema"
    )
    told: list[str] = []
    for way, text in ways.items():
        forward = _forward(one, text)
        found, changing = _differences(one, forward, want)
        if not found.lines:
            return way.partition(",")[0], forward, changing, reason
        reason = found.lines[0]
        told += [f"written from the {way}: {line}" for line in found.lines[:_MOST_SHOWN]]
    raise Refused(
        f"{counted(len(one.chosen), 'migration')} cannot be squashed: in one file they do not make the same; "
        "nothing was written\n" + "\n".join(told),
        hint="squash a part that leaves out what differs: wflo-schema squash --from ID --to ID",
    )


def _choose(
    server: Database, scratch: ScratchOptions | None, migrations: Migrations, to: str, since: str | None, message: str
) -> _Squash:
    items = migrations.items
    last = items.index(migrations.resolve(to))
    first = items.index(migrations.resolve(since)) if since is not None else 0
    if first >= last:
        raise Refused(
            f"from {items[first].id} to {items[last].id} there are not two migrations to squash",
            hint="wflo-schema status lists them in order; --to names the last one",
        )
    before, chosen, after = items[:first], items[first : last + 1], items[last + 1 :]
    folders = {str(Path(m.path).parent) for m in chosen}
    if len(folders) > 1:
        raise Refused(
            f"these migrations are in several folders: {', '.join(sorted(folders))}",
            hint="squash those of one folder, with --from and --to",
        )
    for m in chosen:
        if m.variables:
            raise Refused(
                f"{first_use(m, m.variables[0])}: {m.id} has variables, and a squashed file would have their values",
                hint="squash what stands before it and what stands behind it: wflo-schema squash --from ID --to ID",
            )
    number = BEFORE_WORDS.match(items[last].id)
    slug = slug_of(message) or f"squash-of-{len(chosen)}"
    start = f"{number[0]}{'_' if number[0][-1].isalnum() else ''}" if number else ""
    names = (f"{start}{slug}", f"{items[last].id}-{slug}", f"{items[last].id}_{slug}")
    around = [m.id for m in (*before[-1:], *after[:1])]
    for name in names:
        is_behind = not before or f"{before[-1].id}.sql" < f"{name}.sql"
        if is_behind and (not after or f"{name}.sql" < f"{after[0].id}.sql") and migrations.get(name) is None:
            return _Squash(server, scratch, migrations, before, chosen, after, name)
    raise Refused(
        f"no name was found that sorts where {items[last].id} does, beside {listed(around)}",
        hint="give it another name: wflo-schema squash --to ID --message WORDS",
    )


def _refuse_changed(target: Database, one: _Squash) -> None:
    inside = {m.id for m in one.chosen}
    status = operations.status(target, one.migrations)
    later = [e.id for e in status.for_later if e.id in inside]
    if later and any(e.id in inside for e in status.applied):
        raise Refused(
            f"{target.label} has some of these, and {listed(later)} {plural(len(later), 'waits', 'wait')} for a phase"
            " there; nothing was written",
            hint="apply what is after-deploy first: wflo-schema migrate; or squash up to what comes before it",
        )
    changed = [e.id for e in status.entries if e.id in inside and e.state is State.CHANGED]
    if changed:
        raise Refused(
            f"{target.label} has other texts of {listed(changed)} than these files, and nothing was written",
            hint="bring the files back as they were applied, then squash",
        )


def _migrated_to(empty: Database, migrations: Migrations, last: Migration | None) -> Made:
    if last is not None:
        operations.migrate(empty, migrations, to=last.id)
    return look_at(empty)


def _forward(one: _Squash, text: str) -> str:
    title = f"What {counted(len(one.chosen), 'migration')} made, up to {one.chosen[-1].id}."
    return "\n".join(rewriting.described(text, title, [f"-- replaces: {' '.join(one.replaces)}"]))


@contextmanager
def _folder_with(one: _Squash, forward: str, back: str | None = None) -> Iterator[Migrations]:
    """The folder as it will be, elsewhere."""
    with tempfile.TemporaryDirectory(prefix="wfs") as name:
        for m in (*one.before, *one.after):
            shutil.copy(m.path, name)
        write_whole(Path(name, f"{one.id}.sql"), forward)
        if back is not None:
            write_whole(Path(name, f"{one.id}.rollback.sql"), back)
        yield read_migrations(name, variables=one.chosen[0].given)


def _differences(one: _Squash, forward: str, want: Made) -> tuple[Unlike, Mapping[str, Collection[str]]]:
    """In what the new file differs from those that it replaces, and what was not compared because it always does."""
    changing: Mapping[str, Collection[str]] = {}
    try:
        with _folder_with(one, forward) as files, one.empty() as empty:
            operations.migrate(empty, files, to=one.id)
            found = unlike(look_at(empty), want)
            if found.tables:
                with one.empty() as again:
                    operations.migrate(again, one.migrations, to=one.chosen[-1].id)
                    changing = changing_columns(want, look_at(again))
                    if changing:
                        found = unlike(look_at(empty, without=changing), look_at(again, without=changing))
            if not found.lines:
                operations.migrate(empty, files)
    except (MigrationFailed, BadMigrationFile, DatabaseError) as error:
        return Unlike(failure=error.message.split("\n")[0]), {}
    return found, changing


def _proven_rollback(one: _Squash, forward: str, base: Made, want: Made) -> str | None:
    """A rollback file that leads to where the first migration began; None where no text does."""
    title = f"undo: what {counted(len(one.chosen), 'migration')} made"
    for text in (
        rewriting.rollback_from_catalog(base.catalog, want.catalog),
        rewriting.rollback_from_files(one.chosen),
    ):
        if text is None:
            continue
        back = "\n".join(rewriting.described(text, title, []))
        try:
            with _folder_with(one, forward, back) as files, one.empty() as empty:
                operations.migrate(empty, files, to=one.id)
                operations.rollback(empty, files)
                if not unlike(look_at(empty), base).lines:
                    return back
        except (MigrationFailed, BadMigrationFile, DatabaseError, Refused):
            continue
    return None


def _write(one: _Squash, forward: str, back: str | None, *, remove: bool) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Write the new files, then remove the old ones: as long as both are there, the folder is refused."""
    folder = Path(one.chosen[-1].path).parent
    gone = tuple(Path(p) for m in one.chosen for p in (m.path, m.rollback_path) if p is not None)
    if back is None:
        paths: tuple[Path, ...] = (folder / f"{one.id}.sql",)
        write_whole(paths[0], forward)
    else:
        paths = write_pair(folder / one.id, forward, back)
    if remove:
        for path in gone:
            path.unlink()
    return paths, gone

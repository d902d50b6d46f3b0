"""Migration files as values: read a folder, put it in order, scaffold a new file.

Hides yoyo's reader.  A file is found, named, ordered and related to others as yoyo 9 does it
(``yoyo/migrations.py``); what is in it is split by PostgreSQL's own parser instead of by sqlparse.
"""

from __future__ import annotations

import codecs
import hashlib
import os
import shlex
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import head, read_directives, without_directive
from wflo_schema.findings import Location
from wflo_schema.words import counted, listed

if TYPE_CHECKING:
    from wflo_schema.files.script import Script

# Bytes whose text is looked at in one go.
_DECODED_AT_ONCE = 1 << 20

# Characters: the ledger's migration_id is a varchar(255), as yoyo makes it.
MAX_ID_LENGTH = 255


@dataclass(frozen=True, slots=True)
class Migration:
    """One forward file.  ``id`` is its name without the suffix, as yoyo has it.

    ``checksum`` is the SHA-256 of its text with line ends as ``\\n``; ``depends`` are ids;
    ``lock_timeout_ms`` is the file's own wish, if any.  ``rollback_path`` is None where there is
    no ``.rollback.sql`` beside it.  ``was`` are ids that it had before it was renamed, and
    ``former_checksums`` those that it had without the lines that say so; ``replaces`` are ids of
    migrations that were squashed into it.
    """

    id: str
    path: str
    checksum: str
    depends: tuple[str, ...] = ()
    is_transactional: bool = True
    lock_timeout_ms: int | None = None
    rollback_path: str | None = None
    was: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    former_checksums: frozenset[str] = frozenset()

    @property
    def hash(self) -> str:
        """The key of the ledger's row: the SHA-256 of the id (``yoyo.migrations.get_migration_hash``)."""
        return migration_hash(self.id)


@dataclass(frozen=True, slots=True)
class Absent:
    """A dependency that has no file: ``id``, and who wants it where."""

    id: str
    wanted_by: str
    location: Location


@dataclass(frozen=True, slots=True)
class Migrations:
    """Every migration of one or more folders, in the order in which they are applied."""

    directories: tuple[str, ...]
    items: tuple[Migration, ...]
    stray_rollbacks: tuple[str, ...] = ()
    """Rollback files that belong to no migration."""
    absent: tuple[Absent, ...] = ()
    """Dependencies for which there is no file; `refuse_absent` says which of them may be so."""
    _by_id: dict[str, Migration] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.items)

    def get(self, migration_id: str) -> Migration | None:
        """The migration of that id, or None."""
        return self._by_id.get(migration_id)

    @property
    def where(self) -> str:
        """The folders, for messages."""
        return " and ".join(self.directories)

    @property
    def without_rollback(self) -> tuple[str, ...]:
        """Ids of migrations that have no rollback file."""
        return tuple(m.id for m in self.items if m.rollback_path is None)

    def resolve(self, wish: str) -> Migration:
        """Find a migration by id, or by any beginning of one that fits only one (``20251110_01``).

        Raise `BadMigrationFile` when none or several fit.
        """
        if not wish:
            raise BadMigrationFile("the id is empty", hint="wflo-schema status lists the ids")
        exact = self._by_id.get(wish.removesuffix(".sql"))
        if exact is not None:
            return exact
        fitting = [m for m in self.items if m.id.startswith(wish)]
        if len(fitting) == 1:
            return fitting[0]
        if not fitting:
            raise BadMigrationFile(
                f"there is no migration {wish} in {self.where}", hint="wflo-schema status lists the ids"
            )
        raise BadMigrationFile(
            f"{wish} fits {len(fitting)} migrations in {self.where}: {listed(m.id for m in fitting)}",
            hint="give more of the id",
        )

    def refuse_empty(self, hint: str) -> None:
        """Raise `Refused` where there is no migration at all: most likely the folder is the wrong one."""
        if not self.items:
            raise Refused(f"there is no migration in {self.where}", hint=hint)

    def refuse_absent(self, applied: Collection[str] = ()) -> None:
        """Raise `BadMigrationFile` for a dependency without a file, unless it is one of ``applied`` (hashes).

        An applied one whose file is gone is a matter of the ledger: it is missing.
        """
        for gone in self.absent:
            if migration_hash(gone.id) not in applied:
                meant = [m.id for m in self if m.id.startswith(gone.id)]
                raise BadMigrationFile(
                    f"{gone.wanted_by} depends on {gone.id}, but there is no such migration",
                    hint=f"did you mean {meant[0]}? -- depends: takes whole ids"
                    if len(meant) == 1
                    else "correct the -- depends: line, or bring the missing file back",
                    location=gone.location,
                )

    def heads(self) -> tuple[tuple[str, ...], ...]:
        """The ends of every history that forked: tuples of two or more ids, none where all is well.

        Only migrations tied by ``-- depends:`` count; files without it are ordered by name.
        """
        neighbours: dict[str, set[str]] = {}
        children: dict[str, int] = {}
        for m in self.items:
            for parent in m.depends:
                neighbours.setdefault(m.id, set()).add(parent)
                neighbours.setdefault(parent, set()).add(m.id)
                children[parent] = children.get(parent, 0) + 1
        seen: set[str] = set()
        forked = []
        for m in self.items:
            if m.id in seen or m.id not in neighbours:
                continue
            stack, ends = [m.id], []
            seen.add(m.id)
            while stack:
                here = stack.pop()
                if not children.get(here):
                    ends.append(here)
                fresh = neighbours[here] - seen
                seen |= fresh
                stack.extend(fresh)
            if len(ends) > 1:
                forked.append(tuple(sorted(ends)))
        return tuple(forked)

    def are_joined(self, one: str, other: str, *, also: Collection[str] = ()) -> bool:
        """Whether a merge says that two migrations of different branches may run in either order.

        A merge is a migration that depends on several, or ``also``: one that would depend on these.
        """
        for parents in (*(m.depends for m in self.items if len(m.depends) > 1), tuple(also)):
            sides = [self._with_ancestors(p) for p in parents]
            ours = [side for side in sides if one in side]
            theirs = [side for side in sides if other in side]
            if ours and theirs and not any(side in theirs for side in ours):
                return True
        return False

    def _with_ancestors(self, migration_id: str) -> set[str]:
        found, stack = {migration_id}, [migration_id]
        while stack:
            here = self._by_id.get(stack.pop())
            fresh = set(here.depends) - found if here is not None else set()
            found |= fresh
            stack.extend(fresh)
        return found


def migration_hash(migration_id: str) -> str:
    """The ledger's key for an id, as ``yoyo.migrations.get_migration_hash`` makes it."""
    return hashlib.sha256(migration_id.encode("utf-8")).hexdigest()


def read_migrations(*directories: Path | str) -> Migrations:
    """Read every migration of the folders; each file is opened once.

    Files are found as yoyo finds them: ``*.sql`` but not ``*.rollback.sql``.  Raise
    `BadMigrationFile`, naming the file, when a folder is not there, two files have one id,
    dependencies go in a circle, a file is not UTF-8 or a directive makes no sense.  Dependencies
    without a file are only listed: whether one may be absent is for the ledger to say.
    """
    found: dict[str, Migration] = {}
    strays: list[str] = []
    lines: dict[str, int] = {}
    for directory in directories:
        for m, depends_line in _read_directory(os.fspath(directory), strays):
            if m.id in found:
                raise BadMigrationFile(
                    f"two migration files have the id {m.id}: {found[m.id].path} and {m.path}",
                    hint="rename one of them; an id is the file's name without .sql",
                )
            found[m.id] = m
            lines[m.id] = depends_line
    found = _follow_renamed(found)
    absent = tuple(
        Absent(wanted, m.id, Location(m.path, lines[m.id]))
        for m in found.values()
        for wanted in m.depends
        if wanted not in found
    )
    return Migrations(tuple(os.fspath(d) for d in directories), tuple(_in_order(found)), tuple(strays), absent, found)


def _follow_renamed(found: dict[str, Migration]) -> dict[str, Migration]:
    """Let dependencies name files by what they are called now.

    Raise `BadMigrationFile` where a file says that it was, or replaces, one that is still there.
    """
    now: dict[str, str] = {}
    for m in found.values():
        there = [found[i].path for i in (*m.was, *m.replaces) if i in found]
        if there:
            verb = "was" if m.was else "replaces"
            raise BadMigrationFile(
                f"{m.path} {verb} {listed(i for i in (*m.was, *m.replaces) if i in found)}, "
                f"and {counted(len(there), 'such file is', 'such files are')} still there",
                hint=f"remove what it stands for: git rm {' '.join(map(shlex.quote, there))}",
            )
        for i in (*m.was, *m.replaces):
            if i in now:
                raise BadMigrationFile(
                    f"{m.path} and {found[now[i]].path} both stand for {i}",
                    hint="leave it to one of them: correct its -- was: or -- replaces: line",
                )
            now[i] = m.id
    if not now:
        return found
    return {
        m.id: replace(m, depends=tuple(dict.fromkeys(now.get(i, i) for i in m.depends if now.get(i) != m.id)))
        if m.depends
        else m
        for m in found.values()
    }


def _read_directory(directory: str, strays: list[str]) -> Iterator[tuple[Migration, int]]:
    try:
        with os.scandir(directory) as entries:
            listed = sorted((e for e in entries if e.name.endswith((".sql", ".py"))), key=lambda e: e.name)
            for e in listed:
                _refuse_unreadable_name(directory, e)
            names = [e.name for e in listed if e.is_file()]
    except FileNotFoundError:
        raise BadMigrationFile(
            f"there is no folder {directory}",
            hint='name the folder of your migrations with --migrations, or start one: wflo-schema new "create tables"',
        ) from None
    except OSError as error:
        raise BadMigrationFile(f"cannot read the folder {directory}: {error.strerror}") from None
    present = set(names)
    for name in names:
        path = os.path.join(directory, name)
        if name.startswith((".", "_tmp_yoyonew")) or name == "__init__.py":
            continue
        stem, suffix = os.path.splitext(name)
        if name.endswith(".rollback.sql"):
            if name.removesuffix(".rollback.sql") + ".sql" not in present:
                strays.append(path)
            continue
        if suffix == ".py":
            _refuse_python(path, is_beside_sql=stem + ".sql" in present)
        if stem.startswith("post-apply"):
            raise BadMigrationFile(
                f"{path} is one of yoyo's post-apply hooks, which are not run here",
                hint="a hook that runs outside the ledger could be lost by a crash: make it a migration, "
                "or a command of your own after wflo-schema migrate",
            )
        if len(stem) > MAX_ID_LENGTH:
            raise BadMigrationFile(f"{path}: the name is longer than {MAX_ID_LENGTH} characters")
        source, checksum = read_source(path)
        directives = read_directives(path, head(source))
        rollback = stem + ".rollback.sql"
        yield (
            Migration(
                stem,
                path,
                checksum,
                directives.ids("depends"),
                directives.is_transactional is not False,
                directives.lock_timeout_ms,
                os.path.join(directory, rollback) if rollback in present else None,
                directives.ids("was"),
                directives.ids("replaces"),
                _former_checksums(source) if directives.says("was") else frozenset(),
            ),
            directives.lines.get("depends", 1),
        )


def _refuse_python(path: str, *, is_beside_sql: bool) -> NoReturn:
    if is_beside_sql:
        directory, name = os.path.split(path)
        stem = name.removesuffix(".py")
        raise BadMigrationFile(
            f"two migration files have the id {stem}: {name} and {stem}.sql in {directory}",
            hint="remove or rename one of them",
        )
    raise BadMigrationFile(
        f"{path} is a Python migration, and only plain SQL is run here",
        hint="write it as SQL, or move it out of the folder",
    )


def _former_checksums(source: bytes) -> frozenset[str]:
    """The checksums that the file had before lines said what it was."""
    return frozenset(_checksum(text) for text in without_directive(source.decode(), "was"))


def _refuse_unreadable_name(directory: str, entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        raise BadMigrationFile(
            f"the name of a file in {directory} is not UTF-8: {shown}",
            hint="rename it: its id must be a text that the ledger can hold",
        ) from None
    if entry.is_symlink() and not os.path.exists(entry.path) and not entry.name.startswith("."):
        raise BadMigrationFile(f"{entry.path} is a link to a file that is not there", hint="mend or remove the link")


def _in_order(found: dict[str, Migration]) -> list[Migration]:
    """Dependencies first, otherwise by path: yoyo's own topological sort.

    Where every dependency comes first by path, the sort would keep that order, so yoyo is not imported.
    """
    seen: set[str] = set()
    for m in found.values():
        if any(d in found and d not in seen for d in m.depends):
            break
        seen.add(m.id)
    else:
        return list(found.values())
    from yoyo.topologicalsort import CycleError, topological_sort

    graph = {m.id: m.depends for m in found.values()}
    try:
        return [found[i] for i in topological_sort(found, graph)]
    except CycleError as error:
        circle = _circle(graph, list(error.args[1]))
        raise BadMigrationFile(
            f"migrations depend on each other in a circle: {' → '.join(circle)}",
            hint=f"remove one id from the -- depends: line of {' or '.join(found[i].path for i in circle[:-1])}",
        ) from None


def _circle(graph: dict[str, tuple[str, ...]], unresolved: list[str]) -> list[str]:
    inside = set(unresolved)
    here, path = unresolved[0], []
    while here not in path:
        path.append(here)
        here = next((d for d in graph[here] if d in inside), here)
    return [*path[path.index(here) :], here]


def load_script(migration: Migration) -> Script:
    """Read the forward file's statements.

    Raise `BadMigrationFile` when the file changed since `read_migrations`, or holds what cannot be
    run as a migration: see `files.script.split_statements`.
    """
    script = _load(migration.path)
    if script.checksum != migration.checksum:
        raise BadMigrationFile(
            f"{migration.path} was changed while it was being read", hint="run it again when nobody edits the file"
        )
    return script


def load_rollback(migration: Migration) -> Script | None:
    """Read the rollback file's statements; None where there is no such file.  Raise as `load_script` does."""
    return None if migration.rollback_path is None else _load(migration.rollback_path)


def _load(path: str) -> Script:
    from wflo_schema.files.script import Script, split_statements

    source, checksum = read_source(path)
    return Script(path, source, checksum, split_statements(path, source), read_directives(path, head(source)))


def rolling_back(migration: Migration) -> Migration:
    """The migration as its rollback file is run: by that file's own directives, else by those of the forward file."""
    if migration.rollback_path is None:
        return migration
    source, _ = read_source(migration.rollback_path)
    own = read_directives(migration.rollback_path, head(source))
    return replace(
        migration,
        is_transactional=migration.is_transactional if own.is_transactional is None else own.is_transactional,
        lock_timeout_ms=migration.lock_timeout_ms if own.lock_timeout_ms is None else own.lock_timeout_ms,
    )


def read_source(path: str) -> tuple[bytes, str]:
    """The file's bytes, which are UTF-8, with line ends as ``\\n``, and their checksum."""
    try:
        with open(path, "rb") as file:
            source = file.read()
    except OSError as error:
        raise BadMigrationFile(f"cannot read {path}: {error.strerror}") from None
    _refuse_undecodable(path, source)
    source = source.removeprefix(codecs.BOM_UTF8)
    if b"\r" in source:
        source = source.replace(b"\r\n", b"\n")
    if (nul := source.find(b"\x00")) >= 0:
        raise BadMigrationFile(
            f"{path} holds a NUL character, which PostgreSQL cannot take",
            hint="is it saved as UTF-16? save it as UTF-8",
            location=Location(path, source.count(b"\n", 0, nul) + 1),
        )
    return source, hashlib.sha256(source).hexdigest()


def _refuse_undecodable(path: str, source: bytes) -> None:
    """Raise `BadMigrationFile` for what is not UTF-8; a part at a time, so that no second copy is made."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(source), _DECODED_AT_ONCE) or (0,):
        held = len(decoder.getstate()[0])
        try:
            decoder.decode(source[start : start + _DECODED_AT_ONCE], final=start + _DECODED_AT_ONCE >= len(source))
        except UnicodeDecodeError as error:
            at = start - held + error.start
            line = source.count(b"\n", 0, at) + 1
            raise BadMigrationFile(
                f"{path} is not UTF-8: byte 0x{source[at]:02x} in line {line}",
                hint="save it as UTF-8 (iconv -f latin1 -t utf-8, if it is Latin-1)",
                location=Location(path, line, at - (source.rfind(b"\n", 0, at) + 1) + 1),
            ) from None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

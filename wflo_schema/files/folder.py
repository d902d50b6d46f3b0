"""Migration files as values: read a folder, put it in order, scaffold a new file.

Hides yoyo's reader.  A file is found, named, ordered and related to others as yoyo 9 does it
(``yoyo/migrations.py``); what is in it is split by PostgreSQL's own parser instead of by sqlparse.
"""

from __future__ import annotations

import codecs
import functools
import hashlib
import os
import re
import shlex
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.directives import Directives, Phase, head, read_directives, without_directive
from wflo_schema.files.listing import (
    AFTER_EACH,
    AFTER_ROLLBACK,
    BEFORE_EACH,
    HOOKS,
    REPEATABLE,
    File,
    list_folder,
    list_own,
)
from wflo_schema.files.tools import may_have_sections
from wflo_schema.findings import Location
from wflo_schema.words import counted, listed

if TYPE_CHECKING:
    from wflo_schema.files.script import Script

# Bytes whose text is looked at in one go.
_DECODED_AT_ONCE = 1 << 20

# Ids whose hashes are kept: each target of many is asked for those of the same files.
_HASHES = 10_000

# How many digits a day has, and files a pair.
_DAY, _PAIR = 8, 2

_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_APART = str.maketrans(".- ", "___")


@dataclass(frozen=True, slots=True)
class Migration:
    """One forward file.  ``id`` is its name without the suffix, as yoyo has it.

    ``checksum`` is the SHA-256 of its text with line ends as ``\\n``; ``depends`` are ids;
    ``lock_timeout_ms`` and ``block_timeout_ms`` are the file's own wishes, if any.  ``rollback_path``
    is None where there is no ``.rollback.sql`` beside it.  ``was`` are ids that it had before it was renamed, and
    ``former_checksums`` those that it had without the lines that say so; ``replaces`` are ids of
    migrations that were squashed into it.
    """

    id: str
    path: str
    checksum: str
    depends: tuple[str, ...] = ()
    is_transactional: bool = True
    lock_timeout_ms: int | None = None
    block_timeout_ms: int | None = None
    rollback_path: str | None = None
    was: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    former_checksums: frozenset[str] = frozenset()
    variables: tuple[str, ...] = ()
    """Names that its files declare, and that seem to be used."""
    secrets: tuple[str, ...] = ()
    """Those whose values are recorded nowhere."""
    phase: Phase = Phase.BEFORE_DEPLOY
    _given: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def given(self) -> Mapping[str, str]:
        """The values of variables that are known, whether it has them or not."""
        return self._given

    @property
    def values(self) -> dict[str, str]:
        """The values of its own variables, as far as they are known."""
        return {name: self._given[name] for name in self.variables if name in self._given}

    @property
    def unset(self) -> tuple[str, ...]:
        """Its variables that have no value."""
        return tuple(name for name in self.variables if name not in self._given)

    def with_values(self, values: Mapping[str, str]) -> Migration:
        """The same, with these values before those that it has."""
        return replace(self, _given={**self._given, **values})

    def with_any_values(self) -> Migration:
        """The same, with some value for each variable that has none: for whoever only looks at the files."""
        return self.with_values({name: name for name in self.unset}) if self.unset else self

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
    others: tuple[str, ...] = ()
    """Names of what else is in the folders, which is no SQL."""
    repeatables: tuple[Migration, ...] = ()
    """Files that are applied again whenever their text changed, by id: ``repeatable/NAME``."""
    hooks: tuple[Migration, ...] = ()
    """Files that are run around a run or a migration, by id: ``hooks/NAME``."""
    _by_id: dict[str, Migration] = field(default_factory=dict, repr=False, compare=False)

    def changed(self, change: Callable[[Migration], Migration]) -> Migrations:
        """The same with each migration changed, in whatever is not its id."""
        items, repeatables, hooks = (tuple(map(change, some)) for some in (self.items, self.repeatables, self.hooks))
        return replace(self, items=items, repeatables=repeatables, hooks=hooks, _by_id={m.id: m for m in items})

    def with_items(self, items: Sequence[Migration]) -> Migrations:
        """The same folders with these migrations, in this order."""
        return replace(self, items=tuple(items), _by_id={m.id: m for m in items})

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.items)

    def get(self, migration_id: str) -> Migration | None:
        """The migration of that id, or None."""
        return self._by_id.get(migration_id)

    def hook(self, name: str) -> Migration | None:
        """The hook of that name, as ``before-all``, or None."""
        return next((h for h in self.hooks if h.id == f"{HOOKS}/{name}"), None)

    @property
    def beside(self) -> tuple[Migration, ...]:
        """All files that are run and are no versioned migrations."""
        return (*self.repeatables, *self.hooks)

    @property
    def where(self) -> str:
        """The folders, for messages."""
        return " and ".join(self.directories)

    @property
    def without_rollback(self) -> tuple[str, ...]:
        """Ids of migrations that have no rollback file."""
        return tuple(m.id for m in self.items if m.rollback_path is None)

    def resolve(self, wish: str) -> Migration:
        """Find a migration by its id or file, or by any beginning of an id that fits only one (``20251110_01``).

        Raise `BadMigrationFile` when none or several fit, or where the file is of another folder.
        """
        found = self._by_id[resolve_id(wish, self._by_id, self.where)]
        is_path = os.sep in wish and os.path.isfile(wish)
        if is_path and not any(os.path.samefile(wish, path) for path in _paths(found)):
            raise BadMigrationFile(f"{wish} is not in {self.where}", hint="name its folder with --migrations")
        return found

    def refuse_empty(
        self, hint: str = 'name the right folder with --migrations, or write one: wflo-schema new "create tables"'
    ) -> None:
        """Raise `Refused` where there is nothing to apply at all: most likely the folder is the wrong one."""
        if not self.items and not self.repeatables:
            beside = f"; it holds {listed(self.others, 5)}" if self.others else ""
            if self.others:
                from wflo_schema.files.layouts import import_command

                hint += "".join(f"\nor, if another tool reads it: {import_command(d)}" for d in self.directories)
            raise Refused(f"there is no migration (*.sql) in {self.where}{beside}", hint=hint)

    def refuse_absent(self, applied: Collection[str] = ()) -> None:
        """Raise `BadMigrationFile` for a dependency without a file, unless it is one of ``applied`` (hashes).

        An applied one whose file is gone is a matter of the ledger: it is missing.
        """
        for gone in self.absent:
            if migration_hash(gone.id) not in applied:
                meant = _fitting(gone.id, self._by_id)
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


def resolve_id(wish: str, ids: Collection[str], where: str) -> str:
    """Which of the ids is meant by one, by its file's name or path, or by a beginning that fits only one.

    Raise `BadMigrationFile` when none or several fit.
    """
    if not wish:
        raise BadMigrationFile("the id is empty", hint="wflo-schema status lists the ids")
    wish = wish.encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")  # whatever the locale
    fitting = _fitting(wish, ids)
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise BadMigrationFile(f"there is no migration {wish} in {where}", hint="wflo-schema status lists the ids")
    raise BadMigrationFile(
        f"{wish} fits {len(fitting)} migrations in {where}: {listed(fitting)}", hint="give more of the id"
    )


def _fitting(wish: str, ids: Collection[str]) -> list[str]:
    """The ids that may be meant: the one that it says, or that it names as a file; else those that begin so."""
    name = os.path.basename(wish)
    stem = name.removesuffix(".sql").removesuffix(".rollback")
    exact = next((i for i in (wish, name, name.removesuffix(".sql"), stem) if i in ids), None)
    if exact is not None:
        return [exact]
    if not name.isascii():
        from wflo_schema.files.numbering import visible

        spelt = [i for i in ids if not i.isascii() and visible(i) == visible(stem)]
        if spelt:
            return spelt
    return [i for i in ids if i.startswith(name)] if name else []


@functools.lru_cache(_HASHES)
def migration_hash(migration_id: str) -> str:
    """The ledger's key for an id, as ``yoyo.migrations.get_migration_hash`` makes it."""
    return hashlib.sha256(migration_id.encode("utf-8")).hexdigest()


def read_migrations(
    *directories: Path | str, recursive: bool = False, variables: Mapping[str, str] | None = None
) -> Migrations:
    """Read every migration of the folders; each file is opened once.

    ``variables``: values of what files declare as ``-- variables:``.  They are needed once a file is to be run.

    Files are found as yoyo finds them: ``*.sql`` but not ``*.rollback.sql``.  With ``recursive`` those in
    sub-folders as well, all of one folder in the order of their names.  Raise `BadMigrationFile`, naming the file,
    when a folder is not there or is another tool's, when a file would be left out although it looks like SQL,
    two files have one id or sort in another order than their numbers say, dependencies go in a circle, a file is
    not UTF-8 or a directive makes no sense.  Dependencies without a file are only listed: whether one may be absent
    is for the ledger to say.
    """
    found: dict[str, Migration] = {}
    strays: list[str] = []
    others: list[str] = []
    lines: dict[str, int] = {}
    repeatables: dict[str, Migration] = {}
    hooks: dict[str, Migration] = {}
    for directory in directories:
        listing = list_folder(os.fspath(directory), recursive=recursive)
        if REPEATABLE in listing.own:
            _add_repeatables(repeatables, os.fspath(directory), variables)
        if HOOKS in listing.own:
            _add_hooks(hooks, os.fspath(directory), variables)
        strays += listing.stray_rollbacks
        others += listing.others
        for file in listing.files:
            m, depends_line = _read_file(file, variables)
            if m.id in found:
                raise BadMigrationFile(
                    f"two migration files have the id {m.id}: {found[m.id].path} and {m.path}",
                    hint="rename one of them; an id is the file's name without .sql",
                )
            found[m.id] = m
            lines[m.id] = depends_line
        listing.refuse_code_between()
    found = _follow_renamed(found)
    absent = tuple(
        Absent(wanted, m.id, Location(m.path, lines[m.id]))
        for m in found.values()
        for wanted in m.depends
        if wanted not in found
    )
    in_order = tuple(_in_order(found))
    _refuse_misleading_names(in_order, recursive=recursive)
    _refuse_undone(in_order)
    return Migrations(
        tuple(os.fspath(d) for d in directories),
        in_order,
        tuple(strays),
        absent,
        tuple(others),
        tuple(repeatables.values()),
        tuple(hooks.values()),
        found,
    )


def _add_repeatables(found: dict[str, Migration], directory: str, variables: Mapping[str, str] | None = None) -> None:
    for file in list_own(directory, REPEATABLE):
        m, _ = _read_file(file, variables)
        if m.id in found:
            raise BadMigrationFile(
                f"two files have the id {m.id}: {found[m.id].path} and {m.path}", hint="rename one of them"
            )
        if not m.is_transactional:
            raise BadMigrationFile(
                f"{m.path} is not transactional, and all files of {REPEATABLE}/ are applied in one transaction",
                hint="make it a migration of its own",
            )
        if m.phase is not Phase.BEFORE_DEPLOY:
            raise BadMigrationFile(
                f"{m.path} has a phase, and a file of {REPEATABLE}/ is applied behind the migrations of any",
                hint="remove the line -- phase:, or make it a migration of its own",
            )
        if m.secrets:
            raise BadMigrationFile(
                f"{m.path}: {listed(m.secrets)} cannot be a secret: the ledger keeps the text of a repeatable file "
                "as it was applied",
                hint="make it a migration of its own",
            )
        found[m.id] = m


def _add_hooks(found: dict[str, Migration], directory: str, variables: Mapping[str, str] | None = None) -> None:
    for file in list_own(directory, HOOKS):
        m, _ = _read_file(file, variables)
        if m.id in found:
            raise BadMigrationFile(
                f"two files have the id {m.id}: {found[m.id].path} and {m.path}",
                hint="make one of them: which would be run first, nothing says",
            )
        directives = read_directives(m.path, head(read_source(m.path)[0]))
        wrong = next((name for name in directives.lines if not _suits_hook(m, name)), None)
        if wrong is not None:
            raise BadMigrationFile(
                f"{m.path}: a hook has no -- {wrong}:",
                hint=_HOOK_HINTS.get(wrong, "remove the line: a hook is not recorded, and has no place in the order"),
                location=Location(m.path, directives.lines[wrong]),
            )
        found[m.id] = m


# What to do about a directive that a hook cannot have.
_HOOK_HINTS = {
    "transactional": "a hook is run within a transaction: make a migration of what cannot be",
    "lock-timeout": "it is run in the transaction of a migration, whose -- lock-timeout: holds; or SET LOCAL "
    "lock_timeout in the hook",
    "block-timeout": "it is run in the transaction of a migration, whose -- block-timeout: holds",
}


def _suits_hook(hook: Migration, directive: str) -> bool:
    if directive == "transactional":
        return hook.is_transactional
    return directive == "variables" or (directive in _TIMEOUTS and hook.id not in _IN_MIGRATIONS)


_TIMEOUTS = ("lock-timeout", "block-timeout")

# Hooks that are run in the transaction of a migration.
_IN_MIGRATIONS = tuple(f"{HOOKS}/{name}" for name in (BEFORE_EACH, AFTER_EACH, AFTER_ROLLBACK))


def _paths(migration: Migration) -> tuple[str, ...]:
    """Its file, and its rollback file if it has one."""
    return (migration.path, *((migration.rollback_path,) if migration.rollback_path else ()))


def _follow_renamed(found: dict[str, Migration]) -> dict[str, Migration]:
    """Let dependencies name files by what they are called now.

    Raise `BadMigrationFile` where a file says that it was, or replaces, one that is still there.
    """
    now: dict[str, str] = {}
    for m in found.values():
        there = [found[i].path for i in (*m.was, *m.replaces) if i in found]
        if there:
            verb = "was" if m.was else "replaces"
            with_rollback = [p for i in (*m.was, *m.replaces) if i in found for p in _paths(found[i])]
            is_copy = all(found[i].checksum in m.former_checksums for i in m.was if i in found)
            hint = f"remove the old files: rm {' '.join(map(shlex.quote, with_rollback))}"
            raise BadMigrationFile(
                f"{m.path} {verb} {listed(i for i in (*m.was, *m.replaces) if i in found)}, "
                f"and {counted(len(there), 'such file is', 'such files are')} still there",
                hint=hint
                if is_copy
                else "a file that took over another's name is not the renamed one: give each of them a name that "
                "no migration had, or remove the -- was: line",
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


def _former_checksums(source: bytes) -> frozenset[str]:
    """The checksums that the file had before lines said what it was."""
    return frozenset(_checksum(text) for text in without_directive(source.decode(), "was"))


def _read_file(file: File, variables: Mapping[str, str] | None = None) -> tuple[Migration, int]:
    """A migration, and the line of its ``-- depends:``."""
    source, checksum = read_source(file.path)
    if may_have_sections(source):
        from wflo_schema.files.layouts import refuse_sections

        refuse_sections(file.path, source)
    directives = read_directives(file.path, head(source))
    names = _names_in(source, directives, file.rollback_path) if directives.says("variables") else {}
    migration = Migration(
        file.id,
        file.path,
        checksum,
        directives.ids("depends"),
        directives.is_transactional is not False,
        directives.lock_timeout_ms,
        directives.block_timeout_ms,
        file.rollback_path,
        directives.ids("was"),
        directives.ids("replaces"),
        _former_checksums(source) if directives.says("was") else frozenset(),
        tuple(names),
        tuple(name for name, is_secret in names.items() if is_secret),
        directives.phase,
        variables or {},
    )
    return migration, directives.lines.get("depends", 1)


def read_beside(path: str) -> Migration:
    """One file that is in no folder of migrations."""
    rollback = path.removesuffix(".sql") + ".rollback.sql"
    file = File(Path(path).name.removesuffix(".sql"), path, rollback if os.path.isfile(rollback) else None)
    return _read_file(file)[0]


def _names_in(source: bytes, directives: Directives, rollback_path: str | None) -> dict[str, bool]:
    """The variables of a file and of its rollback file that are anywhere in quotes, and whether each is a secret."""
    declared = directives.variables.items()
    found = {name: secret for name, secret in declared if re.search(_quoted(name), source)}
    if rollback_path is not None:
        back, _ = read_source(rollback_path)
        of_rollback = _names_in(back, read_directives(rollback_path, head(back)), None)
        found = {name: found.get(name, False) or of_rollback.get(name, False) for name in {**found, **of_rollback}}
    return found


def first_use(migration: Migration, name: str) -> Location:
    """Where a file of the migration first has the name of this variable in quotes."""
    for path in _paths(migration):
        source, _ = read_source(path)
        if found := re.search(_quoted(name), source):
            return Location(path, source.count(b"\n", 0, found.start()) + 1)
    return Location(migration.path, 1)


def _quoted(name: str) -> bytes:
    return rb":(['\"])" + name.encode() + rb"\1"


def _refuse_undone(in_order: Sequence[Migration]) -> None:
    """Raise `BadMigrationFile` where one of several files with one number takes back what another does."""
    numbered: dict[str, list[str]] = {}
    for m in in_order:
        number = None if m.depends else re.match(r"[A-Za-z]{0,3}((?:\d+[a-z]?(?![A-Za-z])[-_. ]*)+)", m.id)
        if number is not None and sum(map(str.isdigit, number[1])) != _DAY:
            numbered.setdefault(number[1].rstrip("-_. "), []).append(m.path)
    for paths in numbered.values():
        if len(paths) == _PAIR:
            from wflo_schema.files.layouts import refuse_undone

            refuse_undone([(path, read_source(path)[0].decode()) for path in paths])


def _refuse_misleading_names(in_order: Sequence[Migration], *, recursive: bool) -> None:
    """Raise `BadMigrationFile` where ids are not what they look like."""
    widths: dict[int, set[int]] = {}
    for m in in_order:
        for place, part in enumerate(m.id.lstrip(_LETTERS).translate(_APART).strip("_").split("_")):
            if not part.isdigit():
                break
            widths.setdefault(place, set()).add(len(part))
    if recursive or any(len(found) > 1 for found in widths.values()):
        from wflo_schema.files.numbering import Named, refuse_misleading_order, refuse_numbers_begun_anew

        named = [Named(m.id, m.path, m.rollback_path, m.depends) for m in in_order]
        refuse_misleading_order(named)
        if recursive:
            refuse_numbers_begun_anew(named)
    if any(not m.id.isascii() for m in in_order):
        from wflo_schema.files.numbering import refuse_look_alikes

        refuse_look_alikes((m.id, m.path) for m in in_order)


def _in_order(found: dict[str, Migration]) -> list[Migration]:
    graph = {m.id: m.depends for m in found.values()}
    return [found[i] for i in sort_ids(graph, {m.id: m.path for m in found.values()})]


def sort_ids(depends: Mapping[str, tuple[str, ...]], paths: Mapping[str, str]) -> list[str]:
    """Dependencies first, otherwise as they are given, by path: yoyo's own topological sort.

    Where every dependency comes first already, the sort would keep that order, so yoyo is not imported.  Raise
    `BadMigrationFile` where they go in a circle, with the ``paths`` of those in it.
    """
    seen: set[str] = set()
    for one, wanted in depends.items():
        if any(d in depends and d not in seen for d in wanted):
            break
        seen.add(one)
    else:
        return list(depends)
    from yoyo.topologicalsort import CycleError, topological_sort

    try:
        return list(topological_sort(depends, depends))
    except CycleError as error:
        circle = _circle(depends, list(error.args[1]))
        raise BadMigrationFile(
            f"migrations depend on each other in a circle: {' → '.join(circle)}",
            hint=f"remove one id from the -- depends: line of {' or '.join(paths[i] for i in circle[:-1])}",
        ) from None


def _circle(graph: Mapping[str, tuple[str, ...]], unresolved: list[str]) -> list[str]:
    inside = set(unresolved)
    here, path = unresolved[0], []
    while here not in path:
        path.append(here)
        here = next((d for d in graph[here] if d in inside), here)
    return [*path[path.index(here) :], here]


def load_script(migration: Migration) -> Script:
    """Read the forward file's statements.

    Raise `BadMigrationFile` when the file changed since `read_migrations`, or holds what cannot be
    run as a migration: see `files.script.split_statements`; or where a variable in it has no value.
    """
    script = _load(migration.path, migration.given)
    if script.checksum != migration.checksum:
        raise BadMigrationFile(
            f"{migration.path} was changed while it was being read", hint="run it again when nobody edits the file"
        )
    return script


def load_rollback(migration: Migration) -> Script | None:
    """Read the rollback file's statements; None where there is no such file.  Raise as `load_script` does."""
    return None if migration.rollback_path is None else _load(migration.rollback_path, migration.given)


def _load(path: str, values: Mapping[str, str]) -> Script:
    from wflo_schema.files.script import Script, split_statements

    source, checksum = read_source(path)
    directives, statements = read_directives(path, head(source)), split_statements(path, source)
    if not (names := directives.variables):
        return Script(path, source, checksum, statements, directives)
    from wflo_schema.files.variables import find_uses, substitute

    uses = tuple(use for s in statements for use in find_uses(path, source, s.start, s.end))
    source = substitute(path, source, uses, names, values)
    return Script(path, source, checksum, statements.in_source(source), directives, uses)


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
        block_timeout_ms=migration.block_timeout_ms if own.block_timeout_ms is None else own.block_timeout_ms,
    )


def read_source(path: str) -> tuple[bytes, str]:
    """The file's bytes, which are UTF-8, with line ends as ``\\n``, and their checksum."""
    try:
        with open(path.encode("utf-8", "surrogateescape"), "rb") as file:
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
                hint="it is UTF-16: save it as UTF-8 (iconv -f utf-16 -t utf-8)"
                if source.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
                else "save it as UTF-8 (iconv -f latin1 -t utf-8, if it is Latin-1)",
                location=Location(path, line, at - (source.rfind(b"\n", 0, at) + 1) + 1),
            ) from None


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()

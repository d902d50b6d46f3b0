"""What stands in a folder of migrations: which files are taken, and what is refused because it would be left out.

Hides what the file system can hold under a name: another spelling, a pipe, a folder, bytes that are no UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import NamedTuple

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.tools import may_be_anothers

# In a folder of migrations: files that are applied again when they change, and what is run around a run.
REPEATABLE, HOOKS = "repeatable", "hooks"
OWN_FOLDERS = (REPEATABLE, HOOKS)

# When the files of hooks/ are run, by their names; `Migrations.hook` takes them.
BEFORE_ALL, AFTER_ALL, BEFORE_EACH, AFTER_EACH = "before-all", "after-all", "before-each", "after-each"
AFTER_ROLLBACK = "after-rollback"
# Those that are run where migrations are applied.
AROUND_APPLYING = (BEFORE_ALL, BEFORE_EACH, AFTER_EACH, AFTER_ALL)
_HOOK_NAMES = (BEFORE_ALL, AFTER_ALL, BEFORE_EACH, AFTER_EACH, AFTER_ROLLBACK)

# Beside the migrations: a folder per set that brings a database made elsewhere to where these lead.
RECONCILING_FOLDER = "reconcile"

# Beside the migrations: what other tools' revisions stand for.
NAMES_FILE = "adopt.toml"

# Beside the migrations: what an import has read and written.
RECORD_FILE = "import.toml"

# Patterns are texts here: they are compiled where they are needed, which is seldom.

# How the name of what is SQL ends, or did before an editor or a compressor put something behind it.
_SUFFIX = r"(?is)\.(?:sql|pgsql|psql|plpgsql|plsql|ddl)(?![a-z0-9]).*"

# Behind that: what nobody expects to be run.
_PUT_ASIDE = (
    r"(?is).*(?:~|#|\.(?:orig|bak|backup|old|rej|tmp|sw[a-p]|save|disabled|skip|off|ignored?|example|sample|dist|md|"
    r"md5|sha\d+|asc|sig|license|py[co]))"
)

# A step that another tool takes between two of SQL.
_CODE = (
    r"(?i)[vur]?_?\d+(?:[-_.].*)?\.(?:[cm]?[jt]s|go|rb|php|java|kts?|groovy|scala|rs|exs?|cs|clj|edn|pl|sh|xml|ya?ml)"
)

# Characters: the ledger's migration_id is a varchar(255), as yoyo makes it.
MAX_ID_LENGTH = 255


class File(NamedTuple):
    """A forward file: its id, its path, and that of its rollback file, if there is one."""

    id: str
    path: str
    rollback_path: str | None


class Listing(NamedTuple):
    """The forward files of a folder by name, rollback files that belong to none, and what else is there.

    ``code``: paths of what is numbered like a migration, in another language.
    """

    files: tuple[File, ...]
    stray_rollbacks: tuple[str, ...]
    others: tuple[str, ...]
    code: tuple[str, ...]
    own: tuple[str, ...] = ()
    """Which of `OWN_FOLDERS` are there."""

    def refuse_code_between(self) -> None:
        """Raise `BadMigrationFile` where a step in another language would be left out between two of SQL."""
        if self.files and self.code:
            _refuse_code(self.code[0], "is numbered like a migration")


def list_own(directory: str, name: str) -> tuple[File, ...]:
    """The files of one of `OWN_FOLDERS` and of its sub-folders, by id, which begins with the folder's name.

    Raise `BadMigrationFile` for what looks like SQL and would not be run.
    """
    root = _os(directory).decode("utf-8", "surrogateescape")
    files: list[File] = []
    waiting = [name]
    while waiting:
        inner = waiting.pop(0)
        folder = _read(os.path.join(root, inner))
        found: list[File] = []
        strays: list[str] = []
        _take(folder, found, strays, [])
        if name == HOOKS and strays:
            _refuse_hook(File(os.path.basename(strays[0]).removesuffix(".sql"), strays[0], None), inner)
        for file in found:
            if name == HOOKS:
                _refuse_hook(file, inner)
            _refuse_rollback(file, name)
            files.append(file._replace(id=f"{inner}/{file.id}"))
        waiting += [f"{inner}/{below}" for below in folder.subfolders]
    return tuple(sorted(files, key=lambda f: f.id))


def _refuse_rollback(file: File, folder: str) -> None:
    if file.rollback_path is not None:
        why = "what is applied again when it changes goes back to its former text"
        if folder == HOOKS:
            why = f"what is to be run with each rollback belongs into {HOOKS}/{AFTER_ROLLBACK}.sql"
        raise BadMigrationFile(
            f"{file.path} has a rollback file, which would never be run",
            hint=f"remove it: rm {file.rollback_path}; {why}",
        )


def _refuse_hook(file: File, folder: str) -> None:
    """Raise `BadMigrationFile` for a file of hooks/ that has no hook's name."""
    if folder == HOOKS and file.id in _HOOK_NAMES:
        return
    import difflib
    import shlex

    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[_ .]+", "-", file.id).lower()
    near = [AFTER_ROLLBACK] if words.endswith("rollback") else difflib.get_close_matches(words, _HOOK_NAMES, n=1)
    meant = os.path.join(os.path.dirname(file.path), f"{near[0]}.sql") if near and folder == HOOKS else ""
    if meant and os.path.exists(meant):
        raise BadMigrationFile(f"{file.path} is no hook, and {meant} is there", hint="keep one of the two")
    raise BadMigrationFile(
        f"{file.path} is no hook: {HOOKS}/ holds {', '.join(f'{name}.sql' for name in _HOOK_NAMES)}",
        hint=f"did you mean {near[0]}? mv {shlex.quote(file.path)} {shlex.quote(meant)}"
        if meant
        else f"move it out of {HOOKS}/: a migration belongs beside that folder",
    )


def list_folder(directory: str, *, recursive: bool = False) -> Listing:
    """Find the migration files of a folder, as yoyo finds them; with ``recursive`` in its sub-folders, too.

    Names beginning with a dot are skipped, and so are sub-folders that begin with one or with ``_``.  Raise
    `BadMigrationFile` for another tool's folder, and for what looks like a migration and would not be run.
    """
    root = _os(directory).decode("utf-8", "surrogateescape")
    files: list[File] = []
    strays: list[str] = []
    others: list[str] = []
    code: list[str] = []
    own: tuple[str, ...] = ()
    for folder in _folders(root, recursive=recursive):
        if folder.path == root:
            own = tuple(name for name in folder.subfolders if name in OWN_FOLDERS)
            folder = folder._replace(subfolders=tuple(name for name in folder.subfolders if name not in own))
        _take(folder, files, strays, others)
        code += [os.path.join(folder.path, name) for name in folder.names if re.fullmatch(_CODE, name)]
        if not recursive and folder.subfolders:
            _refuse_skipped(folder)
    if recursive:
        files.sort(key=lambda f: os.path.basename(f.path))
    return Listing(tuple(files), tuple(strays), tuple(others), tuple(code), own)


class _Folder(NamedTuple):
    """The names in one folder: those of files, those that look like one (with what they are), those of folders."""

    path: str
    names: tuple[str, ...]
    odd: dict[str, str]
    subfolders: tuple[str, ...]


def _folders(root: str, *, recursive: bool) -> Iterator[_Folder]:
    waiting, seen = [root], set()
    while waiting:
        path = waiting.pop(0)
        folder = _read(path)
        known = os.path.realpath(_os(path))
        if known in seen:
            continue  # a link leads back here
        seen.add(known)
        _refuse_foreign(folder)
        yield folder
        if recursive:
            inner = (name for name in folder.subfolders if path != root or name not in OWN_FOLDERS)
            waiting += [os.path.join(path, name) for name in inner]


def _os(path: str) -> bytes:
    """The path as the file system has it: UTF-8, whatever the locale says."""
    return path.encode("utf-8", "surrogateescape")


def _read(path: str) -> _Folder:
    names, subfolders = [], []
    odd: dict[str, str] = {}
    try:
        with os.scandir(_os(path)) as entries:
            found = sorted((e.name.decode("utf-8", "surrogateescape"), e) for e in entries)
    except FileNotFoundError:
        raise BadMigrationFile(
            f"there is no folder {path}",
            hint='name the folder of your migrations with --migrations, or start one: wflo-schema new "create tables"',
        ) from None
    except OSError as error:
        raise BadMigrationFile(f"cannot read the folder {path}: {error.strerror}") from None
    for name, entry in found:
        if name.startswith((".", "_tmp_yoyonew")) or name in ("__init__.py", "__pycache__"):
            continue
        is_taken = name.endswith((".sql", ".py"))
        if is_taken:
            refuse_unreadable_name(path, name)
        if entry.is_file():
            names.append(name)
        elif is_taken or re.search(_SUFFIX, name):
            odd[name] = _what_it_is(os.path.join(path, name), entry)
        elif entry.is_dir() and not name.startswith("_") and name != RECONCILING_FOLDER:
            subfolders.append(name)
    return _Folder(path, tuple(names), odd, tuple(subfolders))


def refuse_unreadable_name(directory: str, name: str) -> None:
    """Raise `BadMigrationFile` where the name of a file is no text."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        shown = _os(name).decode("utf-8", "backslashreplace")
        raise BadMigrationFile(
            f"the name of a file in {directory} is not UTF-8: {shown}",
            hint="rename it: its id must be a text that the ledger can hold",
        ) from None


def _what_it_is(path: str, entry: os.DirEntry[bytes]) -> str:
    import stat

    kinds = {stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe (FIFO)", stat.S_IFSOCK: "a socket"}
    try:
        kind = kinds.get(stat.S_IFMT(entry.stat().st_mode), "a device")
    except OSError:
        missing = f"{path} is a link to a file that is not there"
        raise BadMigrationFile(missing, hint="mend or remove the link") from None
    return f"a link to {kind}" if entry.is_symlink() else kind


def _take(folder: _Folder, files: list[File], strays: list[str], others: list[str]) -> None:
    """Sort out the names of one folder."""
    for name, kind in folder.odd.items():
        raise BadMigrationFile(
            f"{os.path.join(folder.path, name)} is {kind}, and a migration is a file",
            hint="rename it, or move it out of the folder",
        )
    present = set(folder.names)
    for name in folder.names:
        path = os.path.join(folder.path, name)
        stem, suffix = os.path.splitext(name)
        if name.endswith(".rollback.sql"):
            if name.removesuffix(".rollback.sql") + ".sql" not in present:
                strays.append(path)
        elif suffix == ".sql":
            _refuse_name(path, stem)
            rollback = stem + ".rollback.sql"
            files.append(File(stem, path, os.path.join(folder.path, rollback) if rollback in present else None))
        elif suffix == ".py":
            _refuse_python(folder.path, name, present)
        elif re.search(_SUFFIX, name) and not re.fullmatch(_PUT_ASIDE, name):
            _refuse_spelling(folder.path, name)
        else:
            others.append(name)
    others += [f"{name}/" for name in folder.subfolders]


def _refuse_name(path: str, stem: str) -> None:
    if stem.startswith("post-apply"):
        raise BadMigrationFile(
            f"{path} is one of yoyo's post-apply hooks, which are not run here",
            hint="a hook that runs outside the ledger could be lost by a crash: make it a migration, "
            "or a command of your own after wflo-schema migrate",
        )
    if len(stem) > MAX_ID_LENGTH:
        raise BadMigrationFile(f"{path}: the name is longer than {MAX_ID_LENGTH} characters")


def _refuse_python(directory: str, name: str, present: set[str]) -> None:
    stem = name.removesuffix(".py")
    if stem + ".sql" in present:
        raise BadMigrationFile(
            f"two migration files have the id {stem}: {name} and {stem}.sql in {directory}",
            hint="remove or rename one of them",
        )
    _refuse_code(os.path.join(directory, name), "is a Python migration")


def _refuse_code(path: str, is_what: str) -> None:
    from wflo_schema.files.layouts import import_command

    raise BadMigrationFile(
        f"{path} {is_what}, and only plain SQL is run here",
        hint="write it as SQL, or move it out of the folder\n"
        f"or, if it is another tool's: {import_command(os.path.dirname(path))}",
    )


def _refuse_spelling(directory: str, name: str) -> None:
    import shlex

    path = os.path.join(directory, name)
    compressed = re.search(r"\.(?:gz|bz2|xz|zst|zip|lz4?)$", name, re.IGNORECASE)
    meant = re.sub(_SUFFIX, ".sql", name)
    to_run = f"mv {shlex.quote(path)} {shlex.quote(os.path.join(directory, meant))}"
    raise BadMigrationFile(
        f"{path} looks like SQL and would be left out: a migration's name ends in .sql",
        hint=f"if it is to be run: {'unpack it' if compressed else to_run}\n"
        f"if not: mv {shlex.quote(path)} {shlex.quote(f'{path}.skip')}",
    )


def _refuse_skipped(folder: _Folder) -> None:
    """Raise `BadMigrationFile` where a sub-folder holds SQL: it would be left out."""
    for name in folder.subfolders:
        path = os.path.join(folder.path, name)
        found = next(_sql_below(path), None)
        if found is not None:
            import shlex

            aside = os.path.join(folder.path, f"_{name}")
            raise BadMigrationFile(
                f"{found} would be left out: it is in a sub-folder",
                hint="to run what is in sub-folders, too: --recursive\n"
                f"if that is not to be run: mv {shlex.quote(path)} {shlex.quote(aside)}",
            )


def _sql_below(path: str) -> Iterator[str]:
    for root, folders, names in os.walk(_os(path)):
        folders[:] = sorted(f for f in folders if not f.startswith((b".", b"_")) and f != b"node_modules")
        for name in sorted(n.decode("utf-8", "surrogateescape") for n in names):
            if re.search(_SUFFIX, name) and not name.startswith(".") and not re.fullmatch(_PUT_ASIDE, name):
                yield os.path.join(root.decode("utf-8", "surrogateescape"), name)


def _refuse_foreign(folder: _Folder) -> None:
    """Raise `BadMigrationFile` where the folder is laid out as another tool does."""
    rollbacks = {f"{n.removesuffix('.sql')}.rollback.sql" for n in folder.names if n.endswith(".sql")}
    names = (n for n in folder.names if n not in rollbacks)
    if not folder.subfolders and not may_be_anothers((os.path.basename(os.path.abspath(folder.path)), *names)):
        return
    from wflo_schema.files.layouts import refuse_inner, refuse_layout, refuse_undo_half

    refuse_undo_half(folder.path)
    refuse_inner(folder.path, folder.names)
    refuse_layout(folder.path, folder.names, {name: _names_in(folder, name) for name in folder.subfolders})


def _names_in(folder: _Folder, name: str) -> list[str]:
    try:
        inner = sorted(os.listdir(_os(os.path.join(folder.path, name))))
    except OSError:
        return []
    return [n.decode("utf-8", "surrogateescape") for n in inner if not n.startswith(b".")]

"""What another tool's folder says, as values: its migrations in order, as that tool runs them, and what it leaves."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_source
from wflo_schema.files.listing import RECORD_FILE, REPEATABLE, refuse_unreadable_name
from wflo_schema.files.script import Script, Statements
from wflo_schema.files.splitting import bare, pieces
from wflo_schema.words import counted, listed

# Folders in which nobody keeps migrations.
_NOBODYS = frozenset({".git", ".hg", ".svn", "node_modules", "__pycache__", ".venv", "venv", "target"})

# Folders above one in which the tool's own settings are looked for.
_MOST_ABOVE = 8

# Files of a folder that are looked at; more are a wrong folder.
_MOST_FILES = 100_000


@dataclass(frozen=True, slots=True)
class Note:
    """What a person must know of one file, or, where ``is_open``, do before it can be run.

    ``path`` is that of the source; ``line`` counts from 1, 0 where it is all of the file.
    """

    path: str
    what: str
    how: str = ""
    line: int = 0
    is_open: bool = False

    @property
    def place(self) -> str:
        """Path and line."""
        return f"{self.path}:{self.line}" if self.line else self.path

    @property
    def text(self) -> str:
        """One line for people."""
        return f"{self.place}: {self.what}{f'; {self.how}' if self.how else ''}"


@dataclass(frozen=True, slots=True)
class Section:
    """What a tool runs of one file, in one direction.

    ``text`` is UTF-8 with line ends as ``\\n``, without the tool's own marks, and begins at ``line``, from 1.
    ``cut`` gives the messages in which the tool sends a text; None: all of it as one.  ``is_wrapped``: the tool runs
    it in one transaction; where not, ``is_asked`` says that the file wants it so, and False that the tool never does.
    ``is_psql``: psql reads it, with its commands and variables, statement by statement;
    ``directory`` is where it is started, empty where that is not known.  ``places`` are lines of the text and the
    path and line from which each, and what follows, comes; ``files`` are other files that are in it.  ``values``
    are those of its placeholders, beside those of the source.  ``is_ours``: it is a file of ours as it stands,
    directives included.  ``notes`` are for people.  ``is_literal``: the tool replaces no placeholder in it.
    """

    path: str
    text: bytes
    line: int = 1
    is_wrapped: bool = True
    is_psql: bool = False
    cut: Callable[[bytes], Sequence[bytes]] | None = None
    is_ours: bool = False
    directory: str = ""
    places: tuple[tuple[int, str, int], ...] = ()
    files: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    is_literal: bool = False
    is_asked: bool = True

    def place(self, line: int) -> tuple[str, int]:
        """The path and line from which a line of the text, from 1, comes."""
        at = bisect_right(self.places, line, key=lambda place: place[0])
        begin, path, there = self.places[at - 1] if at else (1, self.path, self.line)
        return path, there + line - begin

    @property
    def is_blank(self) -> bool:
        """Is nothing in it but blanks?"""
        return not self.text or self.text.isspace()

    def with_text(self, text: bytes) -> Section:
        """The same, with another text."""
        return replace(self, text=text)


def joined(parts: Sequence[Section]) -> Section:
    """Several sections as one, for a file in which all of them stand."""
    first, *others = parts
    text, places = first.text, []
    for other in others:
        text = text.rstrip() + (b"\n" if bare(text).endswith(";") else b"\n;\n")
        places.append((text.count(b"\n") + 1, other.path, other.line))
        text += other.text
    return replace(first, text=text, places=tuple(places), is_literal=all(part.is_literal for part in parts))


# How a note ends on what its tool runs again and again.
RUNS_ONCE = "here it runs once"


@dataclass(frozen=True, slots=True)
class Step:
    """One migration of the tool.

    ``version`` is what its ledger records, empty where it records none; ``number`` what the file's name sorts by
    (digits, with dots between them), empty where it has none; ``name`` the words behind it.  ``forward`` is None
    where the step is no SQL: a note says what is to be done.  ``undo`` is None where there is no such part.
    ``also`` are versions of the ledger that it stands for, too.  ``home``: it is no migration of ours, but a file of
    that folder of ours, one of `OWN_FOLDERS`, in which a hook's ``name`` is what it is called there.
    ``id`` is the id that it must have with us.  ``depends`` are versions.  ``files`` are the paths that it was read
    from, empty where it is ``path`` alone.
    """

    version: str
    number: str
    name: str
    path: str
    forward: Section | None
    undo: Section | None = None
    notes: tuple[Note, ...] = ()
    id: str = ""
    depends: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    home: str = ""

    def at_home(self, home: str) -> Step:
        """The same, put there."""
        if home != REPEATABLE or self.home == home:
            return replace(self, home=home)
        notes = tuple(note for note in self.notes if not note.what.endswith(RUNS_ONCE))
        return replace(self, home=home, undo=None, notes=notes)

    @property
    def is_rewritten(self) -> bool:
        """May its text change, and is it then run again?"""
        return bool(self.home)

    @property
    def paths(self) -> tuple[str, ...]:
        """Those that it was read from."""
        return self.files or (self.path,)

    @property
    def sections(self) -> Iterator[Section]:
        """Those that there are."""
        yield from (s for s in (self.forward, self.undo) if s is not None)


@dataclass(frozen=True, slots=True)
class Source:
    """A tool's folder.

    ``steps`` are in the order in which the tool runs them in an empty database, and end with what it runs behind the
    last; other hooks come behind all.  ``reason`` says what shows that it is that tool's.  ``ledgers`` are the tools,
    by the names of `catalog.other_ledgers`, whose ledgers spell the versions so.  ``left_out`` are files that are no
    migration, and why.  ``keeps_session``: what a migration sets for its session holds for those after it, but for the
    settings in ``puts_back``, which the tool gives their value again before each.
    ``placeholder`` finds what the tool replaces in a text: its group ``name`` is the name of the value, ``default``
    the value where none is given, and ``code`` what only the tool itself can work out; names are told apart by case
    only where the pattern does so.
    ``grows``: a file holds many migrations, and is written anew with more of them.
    """

    tool: str
    folder: str
    reason: str
    steps: tuple[Step, ...]
    ledgers: tuple[str, ...] = ()
    left_out: tuple[Note, ...] = ()
    keeps_session: bool = False
    puts_back: tuple[str, ...] = ()
    placeholder: re.Pattern[bytes] | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    grows: bool = False


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user says of the folder: ``order`` is "name", "number" or a path; ``values`` those of placeholders."""

    order: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool whose folders are read.  ``name`` is what --from takes.

    ``layout`` is what `files.tools` calls it, empty where no file shows it.  ``shows`` finds more that shows it, in
    the folder or beside it: a sentence, or nothing.  ``also`` are layouts of other tools, which name their files as
    this one names some of its own.  ``takes_order``: --order may say in which order its files are run.
    ``is_flat``: only files right in its folder are migrations, so of a project that folder is looked for.
    """

    name: str
    read: Callable[[Folder, Wishes], Source]
    layout: str = ""
    shows: Callable[[Folder], str] | None = None
    also: frozenset[str] = frozenset()
    takes_order: bool = False
    is_flat: bool = False


class Folder:
    """The files of a folder and of those in it, by their relative paths with ``/``; or a single file.

    ``but`` is a folder in it that is none of the tool's.
    """

    def __init__(self, path: str, but: str = "") -> None:
        self.path = path
        self.but = but
        self.is_file = os.path.isfile(path)
        root = os.path.dirname(path) if self.is_file else path
        self.root = "" if root in (".", "./") else root
        self._texts: dict[str, bytes] = {}

    @property
    def full_path(self) -> str:
        """Its absolute path."""
        return os.path.abspath(self.path)

    @cached_property
    def files(self) -> tuple[str, ...]:
        """Sorted; what begins with a dot is left out, and what an import wrote.

        Raise `BadMigrationFile` where there is no such folder.
        """
        if self.is_file:
            return (os.path.basename(self.path),)
        if not os.path.isdir(self.path):
            raise BadMigrationFile(
                f"there is no folder {self.path}", hint="name the folder that holds the other tool's files"
            )
        found: list[str] = []
        seen = {os.path.realpath(path) for path in (self.path, self.but) if path}
        for root, folders, names in os.walk(self.path, followlinks=True, onerror=self._refuse_unreadable):
            inner = [f for f in sorted(folders) if f not in _NOBODYS and not f.startswith(".")]
            real = {f: os.path.realpath(os.path.join(root, f)) for f in inner}
            folders[:] = [f for f in inner if real[f] not in seen]  # a link may lead back
            seen |= set(real.values())
            below = os.path.relpath(root, self.path).replace(os.sep, "/")
            if below != "." and RECORD_FILE in names:
                folders[:] = []
                continue
            found += [n if below == "." else f"{below}/{n}" for n in names if not n.startswith(".")]
            for name in names:
                refuse_unreadable_name(self.path, name)
            if len(found) > _MOST_FILES:
                raise BadMigrationFile(
                    f"{self.path} holds more than {_MOST_FILES} files", hint="name the folder of the migrations alone"
                )
        return tuple(sorted(found))

    def _refuse_unreadable(self, error: OSError) -> None:
        raise BadMigrationFile(f"cannot read the folder {error.filename}: {error.strerror}")

    @property
    def top(self) -> tuple[str, ...]:
        """The files that are in no folder of it."""
        return tuple(name for name in self.files if "/" not in name)

    @cached_property
    def homes(self) -> tuple[str, ...]:
        """The folders in it, at any depth, that hold files: their relative paths, "" for itself."""
        return tuple(dict.fromkeys(name.rpartition("/")[0] for name in self.files))

    def within(self, home: str) -> Folder:
        """One of the folders in it."""
        return Folder(os.path.normpath(self.where(home))) if home else self

    @property
    def folders(self) -> tuple[str, ...]:
        """The names of the folders in it that hold files."""
        return tuple(dict.fromkeys(name.partition("/")[0] for name in self.files if "/" in name))

    def inside(self, folder: str) -> tuple[str, ...]:
        """The relative paths of the files right in that folder of it."""
        start = f"{folder}/" if folder else ""
        return tuple(name for name in self.files if name.startswith(start) and "/" not in name[len(start) :])

    def without(self, used: Collection[str]) -> list[str]:
        """The relative paths of its other files."""
        return [name for name in self.files if name not in used]

    def where(self, name: str) -> str:
        """The path of one of its files."""
        return os.path.join(self.root, *name.split("/")) if self.root else name

    def has(self, name: str) -> bool:
        """Is there such a file, in it or, with ``../``, beside it?"""
        return os.path.isfile(self.where(name))

    def text(self, name: str) -> bytes:
        """A file as UTF-8 without a BOM, with line ends as ``\\n``.  Raise `BadMigrationFile` where it is none."""
        if name not in self._texts:
            _refuse_no_file(self.where(name))
            self._texts[name] = read_source(self.where(name))[0]
        return self._texts[name]

    def said(self, name: str) -> bytes:
        """The text of a file that is only looked at: nothing where it is none."""
        try:
            return self.text(name)
        except BadMigrationFile:
            return b""

    def above(self, *names: str) -> Iterator[str]:
        """The paths of files of these names in the folder and in those above it, nearest first.

        No further than the work tree, and than a few folders.
        """
        here = os.path.abspath(self.root or ".")
        for _ in range(_MOST_ABOVE):
            yield from (path for name in names if os.path.isfile(path := os.path.join(here, *name.split("/"))))
            if os.path.exists(os.path.join(here, ".git")) or os.path.dirname(here) == here:
                return
            here = os.path.dirname(here)

    def beside(self, *names: str, holding: bytes = b"") -> str:
        """The path of the first file of these names, as `above` finds them, in which that stands; empty without one."""
        for path in self.above(*names):
            with contextlib.suppress(OSError):
                if holding in Path(path).read_bytes():
                    return path
        return ""

    def section(self, name: str, *, is_wrapped: bool = True, is_psql: bool = False) -> Section:
        """All of a file."""
        return Section(self.where(name), self.text(name), is_wrapped=is_wrapped, is_psql=is_psql)


def _refuse_no_file(path: str) -> None:
    """Raise `BadMigrationFile` for what only looks like a file: reading a pipe would wait for ever."""
    if os.path.islink(path) and not os.path.exists(path):
        raise BadMigrationFile(f"{path} is a link to a file that is not there", hint="mend or remove the link")
    if os.path.exists(path) and not os.path.isfile(path):
        what = "a pipe (FIFO)" if stat.S_ISFIFO(os.stat(path).st_mode) else "no file"
        raise BadMigrationFile(f"{path} is {what}, and a migration is a file", hint="move it out of the folder")


def is_sql(name: str) -> bool:
    """Does the name end as that of SQL?"""
    return re.search(r"\.(?:pg|plpg|p)?sql\Z", name, re.IGNORECASE) is not None


# A version, what divides it from the words, and the words: 000001_users, 1.2-add, V3__x without its V.
_NUMBERED = re.compile(r"(?P<number>\d+(?:[._]\d+)*)(?:(?:[-_. ]+)(?P<name>.*))?\Z", re.DOTALL)


def numbered(stem: str) -> tuple[str, str]:
    """The number that a name begins with, and its words; no number where it begins with none."""
    found = _NUMBERED.match(stem)
    return (found["number"], found["name"] or "") if found else ("", stem)


def no_sql(path: str, *, is_open: bool = True) -> Note:
    """What is said of a file that is a program, or the like: a person must write it."""
    return Note(path, "is no SQL", "write what it does as SQL, or remove this file", is_open=is_open)


def refuse_doubled(steps: Sequence[Step], tool: str) -> None:
    """Raise `BadMigrationFile` where two migrations have one version."""
    seen: dict[str, str] = {}
    for step in steps:
        known = seen.setdefault(str(int(step.version)) if step.version.isdecimal() else step.version, step.path)
        if step.version and known != step.path:
            raise BadMigrationFile(
                f"two migrations have the version {step.version}: {known} and {step.path}",
                hint=f"{tool} runs one of them at most: give one another version, or move it out of the folder",
            )


def natural(version: str) -> tuple[int, ...]:
    """What a version of numbers sorts by."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


# Files of one folder that are named one by one where they are left out.
_NAMED_ALONE = 5


def left_out_of(folder: Folder, names: Sequence[str], why: str) -> tuple[Note, ...]:
    """What is said of files that are no migration: a line each where they are few, else one for each folder."""
    by_folder: dict[str, list[str]] = {}
    for name in names:
        by_folder.setdefault(name.rpartition("/")[0] if len(names) > _NAMED_ALONE else name, []).append(name)
    if len(by_folder) > _NAMED_ALONE:
        by_folder = {}
        for name in names:
            by_folder.setdefault(name.partition("/")[0] if "/" in name else "", []).append(name)
    found = []
    for place, inner in by_folder.items():
        if len(inner) == 1:
            found.append(Note(folder.where(inner[0]), why))
        else:
            where = folder.where(place) if place else folder.path
            said = listed([name.removeprefix(f"{place}/") for name in inner])
            found.append(Note(where, f"{counted(len(inner), 'file')}, {why}: {said}"))
    return tuple(found)


def source_of(
    folder: Folder,
    tool: str,
    steps: Sequence[Step],
    left_out: Sequence[Note] = (),
    *,
    why: str = "",
    ledgers: tuple[str, ...] = (),
    keeps_session: bool = False,
) -> Source:
    """The source of these steps, in their order; the files that nothing was read from, or said of, are left out.

    ``ledgers`` are by default the tool's own, and ``why`` says that they are none of its migrations.  Raise
    `BadMigrationFile` where two migrations have one version.
    """
    refuse_doubled(steps, tool)
    used = {path for step in steps for path in step.paths} | {note.path for note in left_out}
    others = [name for name in folder.files if folder.where(name) not in used]
    notes = (*left_out, *left_out_of(folder, others, why or f"no migration of {tool}"))
    return Source(tool, folder.path, "", tuple(steps), ledgers or (tool.lower(),), notes, keeps_session)


def script_of(path: str, text: bytes) -> Script:
    """A text as it stands, transactions of its own included.  Raise `BadMigrationFile` where it cannot be split."""
    statements = Statements(text)
    for piece in pieces(path, text):
        statements.add(*piece)
    return Script(path, text, "", statements)


def holds_sql(text: bytes) -> bool:
    """Is there a statement in it, or what cannot be split?"""
    try:
        return any(True for _ in pieces("it", text))
    except BadMigrationFile:
        return True


def each_statement(text: bytes) -> list[bytes]:
    """What is sent of a text that goes statement by statement.  Raise `BadMigrationFile` where it cannot be split."""
    return [text[piece.start : piece.end] for piece in pieces("it", text)]


def says_python_does_nothing(path: str, line: int, wishes: Wishes, *, changes: str = "") -> Note:
    """What is to be said of a step in Python: it waits for a person, unless --set says that it does nothing.

    ``changes`` is what it is seen to do to the schema: then it waits, whatever is said.
    """
    if changes:
        return Note(path, f"runs Python here, and with it {changes}", "write it in SQL", line, is_open=True)
    if wishes.values.get("python") == "nothing":
        return Note(path, "runs Python here, which does nothing in an empty database, as --set says", line=line)
    return Note(
        path,
        "runs Python here",
        "write it in SQL; or, where all such steps only change rows that an empty database lacks: --set python=nothing",
        line,
        is_open=True,
    )

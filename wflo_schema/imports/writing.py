"""An imported folder as files: their names, what they say, and what is kept beside them.

Hides how names are made so that their order is the order of the migrations, and which file is written last.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wflo_schema.adopt.found import NAMES_FILE
from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.naming import write_whole
from wflo_schema.imports.source import Note, Source, Step
from wflo_schema.imports.translate import Part, as_file
from wflo_schema.words import listed

# Beside the migrations: what was imported from where, for --follow.
RECORD_FILE = "import.toml"

# Digits of a number that was written with others of another length, and of one that is given here.
_FEWEST_DIGITS = 4

# Characters of an id, which leaves room in a file's name for what is put behind it.
_LONGEST_ID = 180


@dataclass(frozen=True, slots=True)
class Imported:
    """One migration as it is to be written.  ``undo`` is None where there is no rollback file."""

    id: str
    step: Step
    forward: Part
    undo: Part | None
    depends: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[Note, ...]:
        """What is to be said of its forward file."""
        return (*self.step.notes, *self.forward.notes)

    @property
    def is_open(self) -> bool:
        """Is there something that a person must do before it can be run?"""
        return any(note.is_open for note in self.notes)

    def texts(self, more: Iterable[Note] = ()) -> dict[str, str]:
        """Its files' texts by name; ``more`` are notes on its forward file."""
        directives = [f"depends: {' '.join(self.depends)}"] if self.depends else []
        found = {}
        if self.undo is not None:
            name = os.path.basename(self.undo.sent.path)
            nothing = f"nothing-to-undo: that part of {name} holds no statement"
            found[f"{self.id}.rollback.sql"] = as_file(self.undo, (), self.undo.notes, nothing=nothing)
        empty = "" if self.is_open else f"import: {os.path.basename(self.step.path)} holds no statement"
        found[f"{self.id}.sql"] = as_file(self.forward, directives, (*self.notes, *more), nothing=empty)
        return found


@dataclass(frozen=True, slots=True)
class Record:
    """What an earlier import has written.

    ``ids`` are by `key_of`; ``sources`` and ``written`` are checksums by path and by name.
    ``open_files`` are names of files that a person was to finish.
    """

    tool: str = ""
    folder: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    open_files: tuple[str, ...] = ()


# --- names ------------------------------------------------------------------------------------


def ids_of(source: Source, known: Mapping[str, str]) -> list[str]:
    """An id for each migration, so that names are in the order of the migrations.

    ``known`` are ids of migrations that were imported before, by `key_of`.  Raise `Refused` where a new one would
    come before one of these, and `BadMigrationFile` where two would have one id.
    """
    steps = source.steps
    widths = _widths(steps, known.values())
    ids: list[str] = []
    for n, (step, told) in enumerate(zip(steps, known_ids(source, known), strict=True)):
        number = _padded(step.number, widths)
        words = _slug(step.name)
        made = f"{number}_{words}" if number and words else number or f"{n + 1:0{_FEWEST_DIGITS}}_{words}".rstrip("_")
        ids.append(told or step.id or made[:_LONGEST_ID])
    free = [n for n, s in enumerate(steps) if not s.id and not s.depends]
    if not _is_in_order([ids[n] for n in free]):
        if known:
            late = next(s for n, s in enumerate(steps) if n and ids[n] <= ids[n - 1])
            raise Refused(
                f"{late.path} would come before what was imported already",
                hint="give it a version behind the last one, as a later migrate would need it, too",
            )
        width = max(_FEWEST_DIGITS, len(str(len(steps))))
        for n in free:
            words = "_".join(w for w in (steps[n].number, _slug(steps[n].name)) if w)
            ids[n] = f"{n + 1:0{width}}_{words}"[:_LONGEST_ID]
    doubled, often = Counter(ids).most_common(1)[0]
    if often > 1:
        paths = [s.path for s, i in zip(steps, ids, strict=True) if i == doubled]
        raise BadMigrationFile(f"{often} migrations would have the id {doubled}: {listed(paths)}", hint="rename one")
    return ids


def known_ids(source: Source, known: Mapping[str, str]) -> list[str]:
    """For each migration the id of an earlier import, else nothing; its file may have another name now."""
    by_version = {version: i for key, i in known.items() if (version := key.partition("#")[2])}
    return [known.get(key_of(source, step)) or by_version.get(step.version, "") for step in source.steps]


def key_of(source: Source, step: Step) -> str:
    """What an imported migration is known by in later runs: its path in the folder and its version, or that alone."""
    if source.grows:
        return step.version
    return f"{_inside(source, step.path)}#{step.version}"


def _inside(source: Source, path: str) -> str:
    root = source.folder if os.path.isdir(source.folder) else os.path.dirname(source.folder)
    return os.path.relpath(path, root or ".").replace(os.sep, "/")


def _is_in_order(ids: Sequence[str]) -> bool:
    names = [f"{i}.sql" for i in ids]
    return all(one < other for one, other in zip(names, names[1:], strict=False))


def _widths(steps: Sequence[Step], known: Iterable[str]) -> dict[int, int]:
    """How many digits each part of a number has; the first of equal length stays as it is."""
    found: dict[int, set[int]] = {}
    for step in steps:
        for place, part in enumerate(re.findall(r"\d+", step.number)):
            found.setdefault(place, set()).add(len(part))
    widths = {place: max(lengths) for place, lengths in found.items()}
    if len(found.get(0, ())) > 1 or widths.get(0, _FEWEST_DIGITS) < _FEWEST_DIGITS - 1:
        widths[0] = max(widths[0], _FEWEST_DIGITS)
    before = [len(m[0]) for i in known if (m := re.match(r"\d+", i))]
    if before:
        widths[0] = max(before)
    return widths


def _padded(number: str, widths: Mapping[int, int]) -> str:
    parts = re.findall(r"\d+", number)
    return ".".join(part.zfill(widths.get(place, 0)) for place, part in enumerate(parts))


def _slug(words: str) -> str:
    """The words as they stand in a name: letters of any script, digits, - and _."""
    return re.sub(r"[^\w-]+", "-", words).strip("-_")


# --- what is written --------------------------------------------------------------------------


def checksum(text: bytes) -> str:
    """The SHA-256 of a file's text."""
    return hashlib.sha256(text).hexdigest()


def names_text(source: Source, imported: Sequence[Imported]) -> str:
    """The text of adopt.toml: what each version in the tool's ledger stands for."""
    lines = [f"# What the versions in the ledger of {source.tool} stand for: wflo-schema adopt reads it."]
    for ledger in source.ledgers:
        ids = {version: one.id for one in imported for version in (*one.step.also, one.step.version) if version}
        lines += ["", f"[{_quoted(ledger)}]", *(f"{_quoted(version)} = {_quoted(i)}" for version, i in ids.items())]
    return "\n".join(lines) + "\n"


def record_text(source: Source, imported: Sequence[Imported], texts: Mapping[str, str]) -> str:
    """The text of import.toml: what was read and written."""
    open_files = sorted(f"{one.id}.sql" for one in imported if one.is_open)
    lines = [
        "# Written by wflo-schema import, for wflo-schema import --follow.",
        f"tool = {_quoted(source.tool)}",
        f"folder = {_quoted(source.folder)}",
        f"open = [{', '.join(map(_quoted, open_files))}]",
        "",
        "[ids]",
        *(f"{_quoted(key_of(source, one.step))} = {_quoted(one.id)}" for one in imported),
        "",
        "[sources]",
        *(f"{_quoted(path)} = {_quoted(known)}" for path, known in sorted(checksums_of(source).items())),
        "",
        "[written]",
        *(f"{_quoted(name)} = {_quoted(checksum(text.encode()))}" for name, text in sorted(texts.items())),
    ]
    return "\n".join(lines) + "\n"


def checksums_of(source: Source) -> dict[str, str]:
    """The checksum of each file that a migration was read from, by its path in the folder.

    Where a file grows, that of each migration in it, by `key_of`.
    """
    if source.grows:
        return {key_of(source, step): checksum(b"\0".join(s.text for s in step.sections)) for step in source.steps}
    paths = {path for step in source.steps for path in (step.files or (step.path,))}
    return {_inside(source, path): checksum(Path(path).read_bytes()) for path in paths}


def _quoted(text: str) -> str:
    """A TOML string: JSON's are, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_record(into: Path) -> Record | None:
    """What an earlier import has written there; None without one.  Raise `BadMigrationFile` where it is no record."""
    path = into / RECORD_FILE
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
        return Record(
            found["tool"], found["folder"], found["ids"], found["sources"], found["written"], tuple(found["open"])
        )
    except FileNotFoundError:
        return None
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}", hint="restore it as import wrote it") from None


def write_folder(into: Path, texts: Mapping[str, str]) -> tuple[Path, ...]:
    """Write the files that are not there yet, each as a whole; the record comes last, so a killed run can go on."""
    try:
        into.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadMigrationFile(f"cannot make {into}: {error.strerror}") from None
    written = []
    for name in sorted(texts, key=lambda n: (n in (NAMES_FILE, RECORD_FILE), n == RECORD_FILE, _rollback_first(n))):
        path = into / name
        if not path.exists() or path.read_bytes() != texts[name].encode():
            write_whole(path, texts[name])
            written.append(path)
    return tuple(written)


def _rollback_first(name: str) -> tuple[str, bool]:
    stem = name.removesuffix(".sql").removesuffix(".rollback")
    return stem, not name.endswith(".rollback.sql")

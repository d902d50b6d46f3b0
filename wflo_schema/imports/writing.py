"""An imported folder as files: their names, what they say, and what is kept beside them.

Hides how names are made so that their order is the order of the migrations, and which file is written last.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile, Refused
from wflo_schema.files.listing import HOOKS, NAMES_FILE, OWN_FOLDERS, RECORD_FILE, REPEATABLE
from wflo_schema.files.naming import write_whole
from wflo_schema.imports.source import Note, Source, Step
from wflo_schema.imports.translate import Part, as_file
from wflo_schema.words import listed

# What --order takes but for a file.
ORDERS = frozenset({"", "name", "number"})

# Digits of a number that was written with others of another length, and of one that is given here.
_FEWEST_DIGITS = 4

# Characters and bytes of an id, which leaves room in a file's name for what is put behind it.
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
            nothing = f"nothing-to-undo: the down part of {name} holds no statement"
            found[f"{self.id}.rollback.sql"] = as_file(self.undo, (), self.undo.notes, nothing=nothing)
        empty = "" if self.is_open else f"import: {os.path.basename(self.step.path)} holds no statement"
        found[f"{self.id}.sql"] = as_file(self.forward, directives, (*self.notes, *more), nothing=empty)
        return found


@dataclass(frozen=True, slots=True)
class Record:
    """What an earlier import has written.

    ``ids`` are by `key_of`; ``sources`` and ``written`` are checksums by path and by name.
    ``open_files`` are names of files that a person was to finish.  ``order`` and ``values`` are what the user said.
    ``folder`` and an ``order`` that is a file are paths as they are from here; the file has them as from its folder.
    ``writing`` are checksums of files that a run was about to write when it was stopped; empty where none was.
    """

    tool: str = ""
    folder: str = ""
    ids: Mapping[str, str] = field(default_factory=dict)
    sources: Mapping[str, str] = field(default_factory=dict)
    written: Mapping[str, str] = field(default_factory=dict)
    open_files: tuple[str, ...] = ()
    order: str = ""
    values: Mapping[str, str] = field(default_factory=dict)
    writing: Mapping[str, str] = field(default_factory=dict)


# --- names ------------------------------------------------------------------------------------


def ids_of(source: Source, known: Mapping[str, str]) -> list[str]:
    """An id for each migration, so that names are in the order of the migrations, and no two are nearly the same.

    ``known`` are ids of migrations that were imported before, by `key_of`.  Raise `Refused` where a new one would
    come before one of these, and `BadMigrationFile` where two would have one id.
    """
    steps = source.steps
    widths = _widths(steps, known.values())
    given = known_ids(source, known)
    free = [n for n, s in enumerate(steps) if not s.id and not s.depends and not s.home]
    last = max((n for n in free if given[n]), default=-1)
    behind = _longer_behind(steps, given, widths, last)
    ids = [given[n] or step.id or _id_of(step, n, widths, behind) for n, step in enumerate(steps)]
    taken = set(ids)
    for n, step in enumerate(steps):
        others = (f"{ids[n]}_{number}" for number in itertools.count(2))
        if step.home == REPEATABLE and ids.index(ids[n]) < n:
            ids[n] = next(i for i in others if i not in taken)
            taken.add(ids[n])
    if known and not _is_in_order([ids[n] for n in free]):
        latest = max(given[n] for n in free)
        named = next((steps[n] for n in free if not given[n] and ids[n] <= latest), steps[free[-1]])
        raise Refused(
            f"{named.path} would come before what was imported already",
            hint="give it a version behind the last one, as a later migrate would need it, too",
        )
    if not known and not (_is_in_order([ids[n] for n in free]) and len({i.casefold() for i in ids}) == len(ids)):
        width = max(_FEWEST_DIGITS, len(str(len(steps))))
        for n in free:
            ids[n] = _cut(f"{n + 1:0{width}}_{'_'.join(w for w in (steps[n].number, _slug(steps[n].name)) if w)}")
    doubled, often = Counter(i.casefold() for i in ids).most_common(1)[0]
    if often > 1:
        paths = [s.path for s, i in zip(steps, ids, strict=True) if i.casefold() == doubled]
        raise BadMigrationFile(f"{often} migrations would have the id {doubled}: {listed(paths)}", hint="rename one")
    return ids


def known_ids(source: Source, known: Mapping[str, str]) -> list[str]:
    """For each migration the id of an earlier import, else nothing; its file may have another name now."""
    by_version = {version: i for key, i in known.items() if (version := key.partition("#")[2])}
    return [
        known.get(key_of(source, step))
        or known.get(f"{_inside(source, step.path)}#{step.version}")
        or by_version.get(step.version, "")
        for step in source.steps
    ]


def _id_of(step: Step, place: int, widths: Mapping[int, int], behind: str) -> str:
    if step.home:
        return f"{step.home}/{_cut(_slug(step.name)) or 'unnamed'}"
    number = _padded(step.number, widths)
    words = _slug(step.name)
    made = f"{number}_{words}" if number and words else number or f"{place + 1:0{_FEWEST_DIGITS}}_{words}".rstrip("_")
    first = re.match(r"\d+", number)
    return _cut(f"{behind}_{made}" if behind and first and len(first[0]) > widths[0] else made)


def _longer_behind(steps: Sequence[Step], given: Sequence[str], widths: Mapping[int, int], last: int) -> str:
    """The id behind which numbers come that have more digits than were expected; empty where none was imported."""
    for n in range(last, -1, -1):
        first = re.match(r"\d+", steps[n].number)
        if given[n] and first and len(first[0]) <= widths.get(0, 0):
            return given[n]
    return ""


def _cut(made: str) -> str:
    """An id that fits into a file's name and into the ledger, by characters and by bytes."""
    return made[:_LONGEST_ID].encode()[:_LONGEST_ID].decode("utf-8", "ignore").rstrip("_-")


def key_of(source: Source, step: Step) -> str:
    """What an imported migration is known by in later runs: its path in the folder and its version, or that alone.

    A hook, in which there may be several files, is known by its name.
    """
    if step.home == HOOKS:
        return f"{HOOKS}/{step.name}"
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
        widths[0] = before[0]  # later ones may be longer
    return widths


def _padded(number: str, widths: Mapping[int, int]) -> str:
    parts = re.findall(r"\d+", number)
    return ".".join(part.zfill(widths.get(place, 0)) for place, part in enumerate(parts))


def _slug(words: str) -> str:
    """The words as they stand in a name: letters of any script, digits, - and _."""
    return re.sub(r"[^\w-]+", "-", unicodedata.normalize("NFC", words)).strip("-_")


# --- what is written --------------------------------------------------------------------------


def checksum(text: bytes) -> str:
    """The SHA-256 of a file's text; Git may check it out with other line ends."""
    return hashlib.sha256(text.replace(b"\r\n", b"\n")).hexdigest()


def names_text(source: Source, imported: Sequence[Imported]) -> str:
    """The text of adopt.toml: what each version in the tool's ledger stands for."""
    lines = [f"# What the versions in the ledger of {source.tool} stand for: wflo-schema adopt reads it."]
    if not source.ledgers:
        lines = ["# No ledger says what was run of these files: wflo-schema adopt looks at the tables alone."]
    for ledger in source.ledgers:
        ids = {version: one.id for one in imported for version in (*one.step.also, one.step.version) if version}
        lines += ["", f"[{_quoted(ledger)}]", *(f"{_quoted(version)} = {_quoted(i)}" for version, i in ids.items())]
    return "\n".join(lines) + "\n"


def record_text(record: Record, into: Path) -> str:
    """The text of import.toml: what was read and written."""

    def path(said: str) -> str:
        return os.path.relpath(said, into).replace(os.sep, "/") if said else ""

    def table(name: str, values: Mapping[str, str]) -> list[str]:
        return ["", f"[{name}]", *(f"{_quoted(key)} = {_quoted(value)}" for key, value in values.items())]

    lines = [
        "# Written by wflo-schema import, for wflo-schema import --follow.",
        f"tool = {_quoted(record.tool)}",
        f"folder = {_quoted(path(record.folder))}",
        f"order = {_quoted(record.order if record.order in ORDERS else path(record.order))}",
        f"open = [{', '.join(map(_quoted, record.open_files))}]",
        *table("values", record.values),
        *table("ids", record.ids),
        *table("sources", dict(sorted(record.sources.items()))),
        *table("written", dict(sorted(record.written.items()))),
        *(table("writing", dict(sorted(record.writing.items()))) if record.writing else ()),
    ]
    return "\n".join(lines) + "\n"


def checksums_of(source: Source) -> dict[str, str]:
    """The checksum of each file that a migration was read from, by its path in the folder.

    Where a file grows, that of each migration in it, by `key_of`.
    """
    if source.grows:
        return {key_of(source, step): checksum(b"\0".join(s.text for s in step.sections)) for step in source.steps}
    paths = {path for step in source.steps for path in step.paths}
    return {_inside(source, path): checksum(Path(path).read_bytes()) for path in paths}


def _quoted(text: str) -> str:
    """A TOML string: JSON's are, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def read_record(into: Path) -> Record | None:
    """What an earlier import has written there; None without one.  Raise `BadMigrationFile` where it is no record.

    What Git could not merge of two people's imports is taken from both.
    """
    path = into / RECORD_FILE
    try:
        one, *other = (_record_of(tomllib.loads(side), into) for side in _sides(path.read_text(encoding="utf-8")))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}", hint="restore it as import wrote it") from None
    return _both(one, *other) if other else one


_CONFLICT = re.compile(
    r"^<<<<<<<.*\n(?P<ours>(?:.*\n)*?)(?:\|{7}.*\n(?:.*\n)*?)?=======\n(?P<theirs>(?:.*\n)*?)>>>>>>>.*\n?", re.MULTILINE
)


def _sides(text: str) -> tuple[str, ...]:
    """The text, or, where Git has left a conflict in it, that of each side."""
    if _CONFLICT.search(text) is None:
        return (text,)
    return _CONFLICT.sub(r"\g<ours>", text), _CONFLICT.sub(r"\g<theirs>", text)


def _both(one: Record, other: Record) -> Record:
    """What two imports have written; adopt.toml is to be written anew.  Raise `BadMigrationFile` where they differ."""
    both = replace(
        other,
        ids={**one.ids, **other.ids},
        sources={**one.sources, **other.sources},
        written={n: c for n, c in {**one.written, **other.written}.items() if n != NAMES_FILE},
        open_files=tuple(sorted({*one.open_files, *other.open_files})),
        values={**one.values, **other.values},
        writing={**one.writing, **other.writing},
    )
    for name in ("ids", "sources", "written", "values"):
        said, held = getattr(one, name), getattr(both, name)
        differ = [key for key in said if held.get(key, said[key]) != said[key]]
        if differ:
            raise BadMigrationFile(
                f"the two sides of a merge say different things in {RECORD_FILE}: {listed(differ)}",
                hint="one file was imported twice, with different texts: restore the folder as one side has it",
            )
    return both


def _record_of(found: Mapping[str, object], into: Path) -> Record:
    """Raise `ValueError` where something is missing or of another kind."""

    def text(name: str) -> str:
        if not isinstance(said := found.get(name, ""), str):
            raise ValueError(f"{name} is no text")
        return said

    def texts(name: str) -> dict[str, str]:
        said = found.get(name, {})
        if not isinstance(said, dict) or not all(isinstance(value, str) for value in said.values()):
            raise ValueError(f"{name} is no table of texts")
        return said

    def path(said: str) -> str:
        return os.path.normpath(into / said) if said else ""

    missing = [n for n in ("tool", "folder", "ids", "sources", "written", "open") if n not in found]
    open_files = found.get("open", [])
    if missing:
        raise ValueError(f"it has no {listed(missing)}")
    if not isinstance(open_files, list) or not all(isinstance(name, str) for name in open_files):
        raise ValueError("open is no list of texts")
    order = text("order")
    return Record(
        text("tool"),
        path(text("folder")),
        texts("ids"),
        texts("sources"),
        texts("written"),
        tuple(open_files),
        order if order in ORDERS else path(order),
        texts("values"),
        texts("writing"),
    )


def write_folder(into: Path, texts: Mapping[str, str], before: Record, after: Record) -> tuple[Path, ...]:
    """Write the files that are not there yet; return their paths.

    Stopped anywhere, it leaves files as wholes, and a record, written first, of those that it was about to write;
    ``before`` is the last record, whose unfinished files go first.  The record of all of them comes last.
    """
    try:
        into.mkdir(parents=True, exist_ok=True)
        _sweep(into, before)
        left = [name for name in before.writing if name != NAMES_FILE and name not in before.written]
        for name in left:
            if texts.get(name) != _read(into / name):
                (into / name).unlink(missing_ok=True)
        new = {name: text for name, text in texts.items() if text != _read(into / name)}
        record = record_text(after, into)
        if not new and record == _read(into / RECORD_FILE):
            return ()
        if new:
            writing = {name: checksum(texts[name].encode()) for name in {*new, *left} & texts.keys()}
            write_whole(into / RECORD_FILE, record_text(replace(before, writing=writing), into))
        for name in sorted(new, key=lambda n: (n == NAMES_FILE, _rollback_first(n))):
            (into / name).parent.mkdir(exist_ok=True)
            write_whole(into / name, new[name])
        write_whole(into / RECORD_FILE, record)
    except OSError as error:
        raise BadMigrationFile(f"cannot write into {into}: {error.strerror}") from None
    return tuple(into / name for name in (*sorted(new), RECORD_FILE))


def _read(path: Path) -> str | None:
    """A file's text with line ends as ``\\n``, None where there is none."""
    try:
        return path.read_bytes().replace(b"\r\n", b"\n").decode("utf-8", "surrogateescape")
    except FileNotFoundError:
        return None


def _sweep(into: Path, before: Record) -> None:
    """Remove what a killed run has left of a file that it was writing."""
    ours = {*before.writing, NAMES_FILE, RECORD_FILE}
    for path in (p for home in ("", *OWN_FOLDERS) for p in (into / home).glob(".*")):
        found = re.fullmatch(r"\.(.+)\.\d+", path.name)
        if found is not None and path.with_name(found[1]).relative_to(into).as_posix() in ours:
            path.unlink(missing_ok=True)


def _rollback_first(name: str) -> tuple[str, bool]:
    stem = name.removesuffix(".sql").removesuffix(".rollback")
    return stem, not name.endswith(".rollback.sql")

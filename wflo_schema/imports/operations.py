"""Import another tool's folder: read it, write files of ours in a place aside, prove them, then put them in place.

Hides in which order that is done: nothing stands in the folder before all of it is known.
"""

from __future__ import annotations

import os
import re
import shlex
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from psycopg.pq import DiagnosticField

from wflo_schema.catalog.other_ledgers import HOMES, OTHER_TOOLS
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile, ConnectionLost, Refused, UsageError, WfloSchemaError
from wflo_schema.files.directives import UNWRITTEN
from wflo_schema.files.faults import refuse_unfit, refuse_unready, syntax_faults
from wflo_schema.files.folder import Migration, Migrations, load_script, read_migrations, rolling_back
from wflo_schema.files.listing import HOOKS, NAMES_FILE, RECORD_FILE, REPEATABLE
from wflo_schema.files.splitting import pieces
from wflo_schema.imports.proof import Proof, prove
from wflo_schema.imports.psql import expand
from wflo_schema.imports.recognise import read_source_folder, refuse_programs
from wflo_schema.imports.source import Note, Section, Source, Step, Wishes, each_statement, script_of
from wflo_schema.imports.translate import Part, of_line_ends, of_session, translate, with_values, without_ledger
from wflo_schema.imports.writing import (
    Imported,
    Record,
    checksum,
    checksums_of,
    ids_of,
    key_of,
    known_ids,
    names_text,
    read_record,
    write_folder,
)
from wflo_schema.scratch.replay import ScratchOptions
from wflo_schema.words import counted, listed


@dataclass(frozen=True, slots=True)
class FileImported:
    """One migration: its id, what it was read from, and whether it has a rollback file and is transactional.

    ``is_new`` is False where an earlier import wrote it.  ``notes`` are for people; ``is_open``: it runs only once
    somebody has done what they say.
    """

    id: str
    path: str
    version: str
    has_rollback: bool
    is_transactional: bool
    is_new: bool
    is_open: bool
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Import:
    """What was read, written and proven.

    ``tool`` and ``reason`` say whose the folder is and what shows it.  ``left_out`` are files that are no migration,
    with the reason; ``unused`` are names of values that change nothing.  ``proof`` is None where no server was named.
    ``paths`` are the files that were written, or, without ``is_written``, would be.
    """

    tool: str
    folder: str
    reason: str
    into: Path
    files: tuple[FileImported, ...]
    left_out: tuple[str, ...]
    unused: tuple[str, ...]
    proof: Proof | None
    paths: tuple[Path, ...]
    is_written: bool

    @property
    def open_files(self) -> tuple[FileImported, ...]:
        """Those that wait for a person."""
        return tuple(f for f in self.files if f.is_open)

    @property
    def is_proven(self) -> bool:
        """Was all of it proven, and does nothing wait for a person?"""
        return self.proof is not None and self.proof.is_whole and not self.open_files

    @property
    def exit_code(self) -> int:
        """0 where all of it was proven and nothing waits for a person, else 1."""
        return 0 if self.is_proven else 1


def import_folder(
    folder: str | None,
    into: Path,
    *,
    tool: str | None = None,
    wishes: Wishes | None = None,
    server: Database | None = None,
    scratch: ScratchOptions | None = None,
    follow: bool = False,
    write: bool = False,
) -> Import:
    """Import another tool's folder into ``into``; without ``write`` only say what would be written.

    ``server`` is where the proof makes its scratch databases.  With ``follow`` the folder was imported before, and
    what is new in it is added; ``folder`` may then be None.  Never writes to ``folder``.

    Raise `BadMigrationFile` for what cannot be read, `UsageError` for a tool that is not known, and `Refused` where
    ``into`` holds other files, or one that was imported has been edited on either side.
    """
    before = read_record(into) or Record()
    folder = folder or before.folder
    _refuse_place(folder, into, before, follow=follow)
    given = wishes or Wishes()
    _refuse_other_values(given, before)
    said = Wishes(given.order or before.order, {**before.values, **given.values})
    source = _read(folder, into, said, tool, before)
    _refuse_edited(source, before, into)
    if write:
        _refuse_unwritable(into)
    source = _new_last(source, before)
    imported = _imported(source, said, before)
    kept = _kept(into, before, {name: one for one in imported if one.step.is_rewritten for name in one.texts()})
    asked = _asked_for(source)
    new_values = [name for name in given.values if name not in before.values and name not in asked]
    unused = tuple(n for n in new_values if _is_unused(n, said, source, imported, before, into, tool))
    imported = [_with_faults(one, server) for one in imported]
    with tempfile.TemporaryDirectory(prefix="wfs") as aside:
        migrations = _ours(aside, _texts(imported, {}) | kept, source)
        imported = [_judged(_finished(one, migrations, kept), migrations) for one in imported]
        proof = _proven(server, source, imported, migrations, scratch)
    notes = _notes_of(proof, imported)
    texts = _texts(imported, notes) | kept
    texts[NAMES_FILE] = names_text(source, imported)
    after = _record(source, said, imported, texts, proof)
    _refuse_others(into, texts, before)
    new = {n for n, text in texts.items() if n not in kept and before.written.get(n) != checksum(text.encode())}
    would = tuple(into / name for name in sorted({*new, RECORD_FILE} if new or after != before else ()))
    return Import(
        source.tool,
        source.folder,
        source.reason,
        into,
        tuple(_file_of(one, notes.get(one.id, ()), new) for one in imported),
        tuple(note.text for note in source.left_out),
        unused,
        proof,
        write_folder(into, texts, before, after) if write else would,
        write,
    )


def _proven(
    server: Database | None,
    source: Source,
    imported: Sequence[Imported],
    migrations: Migrations,
    scratch: ScratchOptions | None,
) -> Proof | None:
    """What a replay shows; None where no server is named."""
    if server is None:
        return None
    try:
        return prove(server, source, imported, migrations, scratch=scratch)
    except ConnectionLost as error:
        error.hint = "nothing was written: run it again"
        raise


def _read(folder: str, into: Path, said: Wishes, tool: str | None, before: Record) -> Source:
    """Read the folder, as the tool that is named or that it was imported from before; else as its files show."""
    try:
        source = _expanded(read_source_folder(folder, said, tool=tool or before.tool or None, but=str(into)), said)
    except RecursionError:
        raise BadMigrationFile(
            f"{folder}: its files include others too deep to be read", hint="join those that lie deepest into one"
        ) from None
    _refuse_nested(source.folder, into, [path for step in source.steps for path in step.paths])
    source = _homes_as_before(source, before)
    return replace(source, reason=f"as {into / RECORD_FILE} says") if before.tool and not tool else source


def _kept(into: Path, before: Record, rewritten: Mapping[str, Imported]) -> dict[str, str]:
    """The texts, by name, of what stays as an earlier import, or a person since, has written it.

    ``rewritten`` are files that follow the other folder's: they stay where they hold what that says today.
    """
    texts = {name: _text(into / name) for name in before.written if name.endswith(".sql")}
    return {
        name: text
        for name, text in texts.items()
        if (name not in before.open_files or not _waits(text) or checksum(text.encode()) != before.written[name])
        and (name not in rewritten or name in before.open_files or _says(text, rewritten[name]))
    }


def _says(text: str, one: Imported) -> bool:
    """Is that text of a file what the other folder says, but for notes?"""
    return _sql_of(text) == _sql_of(one.texts()[f"{one.id}.sql"])


def _sql_of(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if not line.startswith("-- import: "))


def _homes_as_before(source: Source, before: Record) -> Source:
    """The folder with each step where an earlier import has put it, though it might be put elsewhere today."""
    known = known_ids(source, before.ids)
    homes = [i.rpartition("/")[0] if i else step.home for step, i in zip(source.steps, known, strict=True)]
    return replace(source, steps=tuple(s.at_home(home) for s, home in zip(source.steps, homes, strict=True)))


def _waits(text: str) -> bool:
    """Does a file say that it is not to be run yet?"""
    return UNWRITTEN in text.splitlines()


def _record(
    source: Source, said: Wishes, imported: Sequence[Imported], texts: Mapping[str, str], proof: Proof | None
) -> Record:
    """What is kept of this import for the next one."""
    doubtful = {s.id for s in proof.said if s.is_open} if proof is not None else set()
    open_files = [f"{one.id}.sql" for one in imported if one.is_open or one.id in doubtful]
    open_files += [f"{one.id}.rollback.sql" for one in imported if one.undo is not None and one.undo.is_open]
    return Record(
        source.tool,
        os.path.normpath(source.folder),
        {key_of(source, one.step): one.id for one in imported},
        checksums_of(source),
        {name: checksum(text.encode()) for name, text in texts.items()},
        tuple(sorted(open_files)),
        said.order,
        said.values,
    )


def _notes_of(proof: Proof | None, imported: Sequence[Imported]) -> dict[str, list[Note]]:
    """What the proof says of each migration, by its id."""
    steps = {one.id: one.step for one in imported}
    notes: dict[str, list[Note]] = {}
    for said in proof.said if proof is not None else ():
        if said.id in steps:
            notes.setdefault(said.id, []).append(Note(steps[said.id].path, said.what, said.how))
    return notes


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadMigrationFile(f"cannot read {path}: {error}") from None


# Files of tools that have a folder for each migration.
_OF_A_FOLDER = frozenset({"up.sql", "down.sql", "migration.sql"})


def _refuse_nested(folder: str, into: Path, read: Sequence[str]) -> None:
    """Raise `Refused` where one folder is the other or lies in it, so that a tool may read what the other wrote.

    ``into`` may lie in the project that was named, away from the folders of these files that were ``read``.
    """
    theirs, ours = Path(os.path.realpath(folder)), Path(os.path.realpath(into))
    homes = {Path(os.path.realpath(path)).parent for path in read}
    homes |= {Path(os.path.realpath(path)).parents[1] for path in read if os.path.basename(path) in _OF_A_FOLDER}
    if not theirs.is_dir():
        return
    is_inside = theirs in ours.parents and any(home == ours or home in ours.parents for home in homes)
    if theirs == ours or ours in theirs.parents or is_inside:
        refuse_programs(folder)  # another place would not help
        how = "are the same folder" if theirs == ours else "lie one in the other"
        other = "db/migrations" if folder.strip("/") == "migrations" else "plain-migrations"
        raise Refused(
            f"{folder} and {into} {how}; the plain files need one of their own",
            hint=f"name it: wflo-schema import {shlex.quote(folder)} --into {other}",
        )


def _refuse_place(folder: str, into: Path, before: Record, *, follow: bool) -> None:
    """Raise `Refused` where the folder holds what this import did not write, and `UsageError` where none is named."""
    if follow and not before.ids:
        raise Refused(
            f"nothing was imported into {into} before",
            hint="import it first: leave out --follow, and look at what it says",
        )
    if not folder:
        raise UsageError("the folder is not named", hint="wflo-schema import FOLDER")
    if before.ids and not follow:
        raise Refused(
            f"{into} holds what was imported from {before.folder}",
            hint="to add what is new there: wflo-schema import --follow\n"
            "to begin again, or to import another folder: choose an empty one with --into",
        )
    there = _nearest(into)
    if not there.is_dir():
        raise Refused(f"{there} is no folder", hint="choose another with --into")
    _refuse_nested(folder, into, [])
    try:
        names = [p.name for p in into.iterdir() if not p.name.startswith(".")] if into.is_dir() else []
    except OSError as error:
        raise BadMigrationFile(f"cannot read the folder {into}: {error.strerror}") from None
    held = sorted(set(names) - {name.partition("/")[0] for name in (*before.writing, RECORD_FILE)})
    if held and not before.ids:
        raise Refused(
            f"{into} is not empty: {listed(held)}", hint="choose another folder with --into, or move these files away"
        )
    edited = [n for n, known in before.writing.items() if n != NAMES_FILE and _checksum(into / n) not in (known, None)]
    if edited and not all(name in before.written for name in edited):
        raise Refused(
            f"an import into {into} was stopped half-way, and what it had written was edited since: {listed(edited)}",
            hint="remove these files, and run it again",
        )


def _refuse_other_values(said: Wishes, before: Record) -> None:
    """Raise `Refused` where what was imported has other values."""
    other = [name for name, value in said.values.items() if before.values.get(name, value) != value]
    if other:
        raise Refused(
            f"what was imported has another value of {listed(other)}",
            hint="leave out --set, the first value is kept; to change it, begin again in another folder with --into",
        )


def _refuse_others(into: Path, texts: Mapping[str, str], before: Record) -> None:
    """Raise `Refused` where a file is there that is none of ours, and has the name of one to be written."""
    others = [
        name
        for name in texts.keys() - {*before.written, *before.writing, NAMES_FILE}
        if _checksum(into / name) not in (checksum(texts[name].encode()), None)
    ]
    if others:
        raise Refused(
            f"{into} holds what import would write, and has not written: {listed(sorted(others))}",
            hint="rename these files",
        )


def _refuse_unwritable(into: Path) -> None:
    if not os.access(_nearest(into), os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise BadMigrationFile(f"cannot write into {into}: Permission denied", hint="choose another with --into")


def _nearest(into: Path) -> Path:
    """The folder, or the nearest above it that is there."""
    return next(place for place in (into, *into.parents) if os.path.lexists(place))


def _checksum(path: Path) -> str | None:
    """The checksum of a file, None where there is none."""
    try:
        return checksum(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BadMigrationFile(f"cannot read {path}: {error.strerror}") from None


def _refuse_edited(source: Source, before: Record, into: Path) -> None:
    """Raise `Refused` where a file that was imported has another text now, on either side, or is gone.

    A text that stands in a file of another name now, which was not there before, has only moved.  What may change on
    the other side, and is no migration here, may be edited there.
    """
    given = set(known_ids(source, before.ids))
    lost = [key.partition("#")[0] for key, known in before.ids.items() if known not in given]
    if before.ids and source.tool != before.tool:
        raise Refused(
            f"{before.folder} was imported as a folder of {before.tool}, and is one of {source.tool} now",
            hint=f"--from {before.tool}; to read it otherwise, begin again in another folder with --into",
        )
    now = checksums_of(source) if before.ids else {}
    free = {name for step in source.steps if step.is_rewritten for name in checksums_of(replace(source, steps=(step,)))}
    moved = {known for name, known in now.items() if name not in before.sources}
    theirs = [
        name
        for name, known in before.sources.items()
        if now.get(name) != known and known not in moved and name not in free
    ]
    theirs += [name for name in lost if name not in theirs]
    found = {name: _checksum(into / name) for name in before.written if name != NAMES_FILE or not before.writing}
    ours = [
        n
        for n, has in found.items()
        if (has is None and n != NAMES_FILE)
        or (has not in (before.written[n], before.writing.get(n), None) and n not in before.open_files)
    ]
    if theirs or ours:
        where = "; ".join(
            f"{listed(names)} in {folder}" for names, folder in ((theirs, source.folder), (ours, into)) if names
        )
        raise Refused(
            f"what was imported has been edited, renamed or removed since: {where}",
            hint="bring these files back as they were; a change to applied SQL is a migration of its own",
        )


def _expanded(source: Source, wishes: Wishes) -> Source:
    """The folder as SQL alone where psql reads it; a file that is in another counts as one that is read."""

    def plain(section: Section | None) -> Section | None:
        return expand(section, _values_of(section, source, wishes)) if section is not None else None

    steps = []
    inner: set[str] = set()
    for step in source.steps:
        forward, undo = plain(step.forward), plain(step.undo)
        more = [path for part in (forward, undo) if part is not None for path in part.files]
        inner |= {os.path.normpath(path) for path in more}
        files = tuple(dict.fromkeys((*step.paths, *more)))
        steps.append(replace(step, forward=forward, undo=undo, files=files))
    left_out = tuple(note for note in source.left_out if os.path.normpath(note.path) not in inner)
    return replace(source, steps=tuple(steps), left_out=left_out)


def _values_of(section: Section, source: Source, wishes: Wishes) -> dict[str, str]:
    return {**source.values, **section.values, **wishes.values}


# In which order steps come, by where they are put: those of one place as they are.
_HOMES = ("", REPEATABLE, HOOKS)


def _new_last(source: Source, before: Record) -> Source:
    """The folder with what is new behind what was imported: it runs after what was applied."""
    told = known_ids(source, before.ids)
    known = [step for step, i in zip(source.steps, told, strict=True) if i]
    new = [step for step, i in zip(source.steps, told, strict=True) if not i]
    return replace(source, steps=tuple(sorted((*known, *new), key=lambda step: _HOMES.index(step.home))))


def _imported(source: Source, wishes: Wishes, before: Record) -> list[Imported]:
    ids = ids_of(source, before.ids)
    by_version = {step.version or step.id: i for step, i in zip(source.steps, ids, strict=True)}
    ledger = _Ledger(_ledger_tables(source), _schemas(source))
    found: list[Imported] = []
    committing: list[str] = []
    for step, made in zip(source.steps, ids, strict=True):
        depends = tuple(by_version[v] for v in step.depends if v in by_version)
        forward = (
            _part(step.forward, source, wishes, ledger, committing)
            if step.forward is not None
            else Part(Section(step.path, b""), b"", is_transactional=True, is_empty=True)
        )
        if source.keeps_session and step is not source.steps[-1]:
            forward = replace(forward, notes=(*forward.notes, *of_session(forward.sent, source)))
        forward = _in_home(forward, step)
        undo = _part(step.undo, source, wishes, ledger, committing) if step.undo is not None else None
        found.append(Imported(made, step, forward, undo, depends))
    return found


def _in_home(part: Part, step: Step) -> Part:
    """The part as a file of that folder of ours, all of which are transactional."""
    if not step.home or part.is_transactional or part.is_empty:
        return part
    what = f"cannot run in a transaction, and the files of {step.home}/ do"
    how = "make a migration of it: wflo-schema new, and leave out this file"
    return replace(part, is_transactional=True, notes=(*part.notes, Note(step.path, what, how, is_open=True)))


def _asked_for(source: Source) -> set[str]:
    """The names of placeholders that have no value but the user's."""
    found: set[str] = set()
    for section in (s for step in source.steps for s in step.sections if not s.is_literal):
        for place in source.placeholder.finditer(section.text) if source.placeholder is not None else ():
            if place["name"] is not None and place.groupdict().get("default") is None:
                found.add(place["name"].decode())
    return found - source.values.keys() - {name for step in source.steps for s in step.sections for name in s.values}


def _is_unused(
    name: str,
    said: Wishes,
    source: Source,
    imported: Sequence[Imported],
    before: Record,
    into: Path,
    tool: str | None,
) -> bool:
    """Is all the same without this value?"""
    without = Wishes(said.order, {other: value for other, value in said.values.items() if other != name})
    try:
        found = _read(source.folder, into, without, tool, before)
        return found.reason == source.reason and _texts(
            _imported(_new_last(found, before), without, before), {}
        ) == _texts(imported, {})
    except WfloSchemaError:
        return False


def _part(section: Section, source: Source, wishes: Wishes, ledger: _Ledger, committing: list[str]) -> Part:
    filled, notes = with_values(section, source.placeholder, _values_of(section, source, wishes))
    kept, left = without_ledger(filled, ledger.tables, ledger.schemas, source.tool)
    made = translate(kept, committing)
    return replace(made, notes=(*notes, *left, *made.notes, *of_line_ends(section)))


_MAKES = rb"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?:(?:\w+|\"[^\"]*\")\s*\.\s*)?\"?%s\b"


class _Ledger(NamedTuple):
    """The tables of a tool's ledger, and the schemas in which they may be."""

    tables: frozenset[str]
    schemas: frozenset[str]


_MAKES_IN = re.compile(rb"\bCREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?\"?(\w+)\"?\s*\.", re.IGNORECASE)


def _schemas(source: Source) -> frozenset[str]:
    """Those that tools keep a ledger in, and those in which the folder makes tables: its tool's may be there."""
    texts = (section.text for step in source.steps for section in step.sections)
    return HOMES | {"public"} | {name.decode() for text in texts for name in _MAKES_IN.findall(text)}


def _ledger_tables(source: Source) -> frozenset[str]:
    """The tables in which the tool records its migrations, but for those that the folder makes itself.

    A tool with a schema of its own has none that a file would name without it.
    """
    tables = {name for t in OTHER_TOOLS if t.name in source.ledgers and not t.home for name in t.tables}
    made = {name: re.compile(_MAKES % name.encode(), re.IGNORECASE) for name in tables}
    texts = [section.text for step in source.steps for section in step.sections]
    return frozenset(name for name, makes in made.items() if not any(makes.search(text) for text in texts))


def _texts(imported: Sequence[Imported], notes: Mapping[str, Sequence[Note]]) -> dict[str, str]:
    return {name: text for one in imported for name, text in one.texts(notes.get(one.id, ())).items()}


def _ours(aside: str, texts: Mapping[str, str], source: Source) -> Migrations:
    """The files, read as migrations, from a folder aside."""
    for name, text in texts.items():
        path = Path(aside, name)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(text.encode())
    migrations = read_migrations(aside)
    written = len(migrations) + len(migrations.beside)
    if written != len(source.steps):
        raise BadMigrationFile(
            f"{source.folder} has {counted(len(source.steps), 'migration')}, and {written} would be written",
            hint="two of them have nearly the same name: rename one",
        )
    return migrations


def _file(migrations: Migrations, id: str) -> Migration:
    return migrations.get(id) or next(m for m in migrations.beside if m.id == id)


def _finished(one: Imported, migrations: Migrations, kept: Mapping[str, str]) -> Imported:
    """The migration; where a person has finished a file of it, it is what that file says, whoever runs it."""
    m = _file(migrations, one.id)
    name, back = f"{one.id}.sql", f"{one.id}.rollback.sql"
    forward, undo, step = one.forward, one.undo, one.step
    if one.is_open and name in kept and not _waits(kept[name]):
        forward = _as_written(kept[name], m.path, is_transactional=m.is_transactional)
        step = replace(step, notes=tuple(note for note in step.notes if not note.is_open))
    if undo is not None and undo.is_open and back in kept and not _waits(kept[back]):
        undo = _as_written(kept[back], m.path, is_transactional=rolling_back(m).is_transactional)
    return replace(one, forward=forward, undo=undo, step=step)


def _as_written(text: str, path: str, *, is_transactional: bool) -> Part:
    """A file of ours as a part that both sides run."""
    section = Section(path, text.encode(), is_wrapped=is_transactional, cut=each_statement)
    is_empty = not any(pieces(path, section.text))
    return Part(section, section.text, is_transactional=is_transactional, is_empty=is_empty)


def _with_faults(one: Imported, server: Database | None) -> Imported:
    """The migration, with a note for each statement of its undo part that is no SQL: migrate would refuse them both."""
    undo = one.undo
    if undo is None or undo.is_open or undo.sent.is_ours:
        return one
    notes = []
    for statement, fault in syntax_faults(script_of(undo.sent.path, undo.text)):
        message = fault.message if server is None else _syntax_error(server, statement.raw)
        if message:
            path, line = undo.sent.place(undo.sent.text.count(b"\n", 0, max(undo.sent.text.find(statement.raw), 0)) + 1)
            notes.append(Note(path, f"in what takes it back: {message}", "correct it", line, is_open=True))
    return replace(one, undo=replace(undo, notes=(*undo.notes, *notes))) if notes else one


def _syntax_error(server: Database, statement: bytes) -> str:
    """What the server says of a statement that is no SQL to it, whatever the grammar at hand says."""
    with server.connect() as connection:
        found = connection.pgconn.prepare(b"", statement)
    is_no_sql = found.error_field(DiagnosticField.SQLSTATE) == b"42601"
    return (found.error_field(DiagnosticField.MESSAGE_PRIMARY) or b"").decode() if is_no_sql else ""


def _judged(one: Imported, migrations: Migrations) -> Imported:
    """The migration, with a note where migrate would refuse it."""
    if one.is_open:
        return one
    m = _file(migrations, one.id)
    try:
        script = load_script(m)
        refuse_unready(m, script, lambda _: None)
        refuse_unfit(script, is_transactional=m.is_transactional)
    except BadMigrationFile as error:
        note = Note(one.step.path, error.message.partition(": ")[2] or error.message, error.hint, is_open=True)
        return replace(one, forward=replace(one.forward, notes=(*one.forward.notes, note)))
    return one


def _file_of(one: Imported, more: Sequence[Note], new: Collection[str]) -> FileImported:
    is_new = f"{one.id}.sql" in new or f"{one.id}.rollback.sql" in new
    undo = one.undo.notes if one.undo is not None else ()
    is_open = one.is_open or (one.undo is not None and one.undo.is_open)
    said = (*one.notes, *undo) if is_new or is_open else ()
    return FileImported(
        one.id,
        one.step.path,
        one.step.version,
        one.undo is not None,
        one.forward.is_transactional,
        is_new,
        is_open,
        tuple(note.text for note in (*said, *more)),
    )

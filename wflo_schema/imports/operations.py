"""Import another tool's folder: read it, write files of ours in a place aside, prove them, then put them in place.

Hides in which order that is done: nothing stands in the folder before all of it is known.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.adopt.found import NAMES_FILE
from wflo_schema.catalog.other_ledgers import OTHER_TOOLS
from wflo_schema.connect.database import Database
from wflo_schema.errors import BadMigrationFile, ConnectionLost, Refused
from wflo_schema.files.faults import refuse_unfit, refuse_unready
from wflo_schema.files.folder import Migrations, load_script, read_migrations
from wflo_schema.imports.proof import Proof, prove
from wflo_schema.imports.psql import expand
from wflo_schema.imports.recognise import read_source_folder
from wflo_schema.imports.source import Note, Section, Source, Wishes
from wflo_schema.imports.translate import Part, of_session, translate, with_values, without_ledger
from wflo_schema.imports.writing import (
    RECORD_FILE,
    Imported,
    Record,
    checksum,
    checksums_of,
    ids_of,
    known_ids,
    names_text,
    read_record,
    record_text,
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
    with the reason.  ``proof`` is None where no server was named.  ``paths`` are the files that were written, or,
    without ``is_written``, would be.
    """

    tool: str
    folder: str
    reason: str
    into: Path
    files: tuple[FileImported, ...]
    left_out: tuple[str, ...]
    proof: Proof | None
    paths: tuple[Path, ...]
    is_written: bool

    @property
    def open_files(self) -> tuple[FileImported, ...]:
        """Those that wait for a person."""
        return tuple(f for f in self.files if f.is_open)

    @property
    def exit_code(self) -> int:
        """0 where all of it was proven and nothing waits for a person, else 1."""
        is_fine = self.proof is not None and self.proof.is_whole and not any(s.is_open for s in self.proof.said)
        return 0 if is_fine and not self.open_files else 1


def import_folder(
    folder: str,
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
    what is new in it is added.  Never writes to ``folder``.

    Raise `BadMigrationFile` for what cannot be read, `UsageError` for a tool that is not known, and `Refused` where
    ``into`` holds other files, or one that was imported has been edited on either side.
    """
    record = read_record(into)
    _refuse_place(into, record, follow=follow)
    source = read_source_folder(folder, wishes or Wishes(), tool=tool or (record.tool if record and follow else None))
    source = _expanded(source, wishes or Wishes())
    if record is not None:
        _refuse_edited(source, record, into)
        told = known_ids(source, record.ids)
        new = [step for step, i in zip(source.steps, told, strict=True) if not i]
        known = [step for step, i in zip(source.steps, told, strict=True) if i]
        source = replace(source, steps=(*known, *new))  # what is new runs after what was applied
    imported = _imported(source, wishes or Wishes(), record)
    kept = {name: _text(into / name) for name in record.written if name.endswith(".sql")} if record else {}
    with tempfile.TemporaryDirectory(prefix="wfs") as aside:
        texts = _texts(imported, {}) | kept
        migrations = _ours(aside, texts, source)
        imported = [_judged(one, migrations) for one in imported]
        proof = None
        if server is not None:
            try:
                proof = prove(server, source, imported, migrations, scratch=scratch)
            except ConnectionLost as error:
                error.hint = "nothing was written: run it again"
                raise
    notes = _notes_of(proof, imported)
    texts = _texts(imported, notes) | kept
    texts[NAMES_FILE] = names_text(source, imported)
    texts[RECORD_FILE] = record_text(source, imported, {n: t for n, t in texts.items() if n.endswith(".sql")})
    paths = write_folder(into, texts) if write else tuple(into / name for name in sorted(texts) if name not in kept)
    return Import(
        source.tool,
        source.folder,
        source.reason,
        into,
        tuple(_file_of(one, notes.get(one.id, ()), f"{one.id}.sql" not in kept) for one in imported),
        tuple(note.text for note in source.left_out),
        proof,
        paths,
        write,
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


def _refuse_place(into: Path, record: Record | None, *, follow: bool) -> None:
    """Raise `Refused` where the folder holds what this import did not write."""
    if follow and record is None:
        raise Refused(
            f"nothing was imported into {into} before",
            hint="import it first: leave out --follow, and look at what it says",
        )
    if record is not None and not follow:
        raise Refused(
            f"{record.folder} was imported into {into} before",
            hint="to add what is new: --follow; to begin again, choose another folder with --into",
        )
    if into.exists() and not into.is_dir():
        raise Refused(f"{into} is no folder", hint="choose another with --into")
    held = sorted(p.name for p in into.iterdir() if not p.name.startswith(".")) if into.is_dir() and not record else []
    if held:
        raise Refused(
            f"{into} is not empty: {listed(held)}", hint="choose another folder with --into, or move these files away"
        )


def _refuse_edited(source: Source, record: Record, into: Path) -> None:
    """Raise `Refused` where a file that was imported has another text now, on either side, or is gone.

    A text that stands in a file of another name now, which was not there before, has only moved.
    """
    now = checksums_of(source)
    moved = {known for name, known in now.items() if name not in record.sources}
    theirs = [name for name, known in record.sources.items() if now.get(name) != known and known not in moved]
    ours = [
        name
        for name, known in record.written.items()
        if name not in record.open_files
        and not name.endswith(".rollback.sql")
        and (not (into / name).exists() or checksum((into / name).read_bytes()) != known)
    ]
    if theirs or ours:
        where = "; ".join(
            f"{listed(names)} in {folder}" for names, folder in ((theirs, source.folder), (ours, into)) if names
        )
        raise Refused(
            f"what was imported has been edited or removed since: {where}",
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
        files = tuple(dict.fromkeys((*(step.files or (step.path,)), *more)))
        steps.append(replace(step, forward=forward, undo=undo, files=files))
    left_out = tuple(note for note in source.left_out if os.path.normpath(note.path) not in inner)
    return replace(source, steps=tuple(steps), left_out=left_out)


def _values_of(section: Section, source: Source, wishes: Wishes) -> dict[str, str]:
    return {**source.values, **section.values, **wishes.values}


def _imported(source: Source, wishes: Wishes, record: Record | None) -> list[Imported]:
    known = dict(record.ids) if record else {}
    ids = ids_of(source, known)
    by_version = {step.version or step.id: i for step, i in zip(source.steps, ids, strict=True)}
    ledger = _ledger_tables(source)
    found: list[Imported] = []
    for step, made in zip(source.steps, ids, strict=True):
        depends = tuple(by_version[v] for v in step.depends if v in by_version)
        forward = (
            _part(step.forward, source, wishes, ledger)
            if step.forward is not None
            else Part(Section(step.path, b""), b"", is_transactional=True, is_empty=True)
        )
        if source.keeps_session and step is not source.steps[-1]:
            forward = replace(forward, notes=(*forward.notes, *of_session(forward.sent, source.tool)))
        undo = _part(step.undo, source, wishes, ledger) if step.undo is not None else None
        if step.is_repeatable and not depends and found:
            depends = (found[-1].id,)
        found.append(Imported(made, step, forward, undo, depends))
    return found


def _part(section: Section, source: Source, wishes: Wishes, ledger: Collection[str]) -> Part:
    filled, notes = with_values(section, source.placeholder, _values_of(section, source, wishes))
    kept, left = without_ledger(filled, ledger, source.tool)
    made = translate(kept)
    return replace(made, notes=(*notes, *left, *made.notes))


def _ledger_tables(source: Source) -> frozenset[str]:
    """The tables in which the tool records its migrations, but for those that the folder makes itself.

    A tool with a schema of its own has none that a file would name without it.
    """
    tables = {name for t in OTHER_TOOLS if t.name in source.ledgers and not t.home for name in t.tables}
    made = {name: re.compile(rb"\bCREATE\s+TABLE[^(;]*\b" + name.encode() + rb"\b", re.IGNORECASE) for name in tables}
    texts = [section.text for step in source.steps for section in step.sections]
    return frozenset(name for name, makes in made.items() if not any(makes.search(text) for text in texts))


def _texts(imported: Sequence[Imported], notes: Mapping[str, Sequence[Note]]) -> dict[str, str]:
    return {name: text for one in imported for name, text in one.texts(notes.get(one.id, ())).items()}


def _ours(aside: str, texts: Mapping[str, str], source: Source) -> Migrations:
    """The files, read as migrations, from a folder aside."""
    for name, text in texts.items():
        Path(aside, name).write_bytes(text.encode())
    migrations = read_migrations(aside)
    if len(migrations) != len(source.steps):
        raise BadMigrationFile(
            f"{source.folder} has {counted(len(source.steps), 'migration')}, and {len(migrations)} would be written",
            hint="two of them have nearly the same name: rename one",
        )
    return migrations


def _judged(one: Imported, migrations: Migrations) -> Imported:
    """The migration, with a note where migrate would refuse it."""
    if one.is_open:
        return one
    m = migrations.get(one.id)
    assert m is not None
    try:
        script = load_script(m)
        refuse_unready(m, script, lambda _: None)
        refuse_unfit(script, is_transactional=m.is_transactional)
    except BadMigrationFile as error:
        note = Note(one.step.path, error.message.partition(": ")[2] or error.message, error.hint, is_open=True)
        return replace(one, forward=replace(one.forward, notes=(*one.forward.notes, note)))
    return one


def _file_of(one: Imported, more: Sequence[Note], is_new: bool) -> FileImported:
    undo = one.undo.notes if one.undo is not None else ()
    return FileImported(
        one.id,
        one.step.path,
        one.step.version,
        one.undo is not None,
        one.forward.is_transactional,
        is_new,
        one.is_open,
        tuple(note.text for note in (*one.notes, *undo, *more)),
    )

"""Atlas: files in the order of their names, with directives above them, and a list of their checksums beside them."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.cutting import cut_at, joined
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, numbered, source_of

_SUM = "atlas.sum"
_DIRECTIVE = re.compile(r"[ -~]*atlas:(?P<name>\w+)(?: +(?P<value>.+))?\Z")
_DELIMITER = re.compile(r"\A-- atlas:delimiter +(?P<value>[^\n]+)\n")
_OBEYED = re.compile(rb"^(?:#|--)[ -~]*atlas:(?:txmode|delimiter)\b[^\n]*\n?", re.MULTILINE)


def read_atlas(folder: Folder, wishes: Wishes) -> Source:
    """Atlas: each file in a transaction unless its directive says ``txmode none``; then statement by statement.

    A checkpoint makes what all before it make, so it is no migration here; the ledger of a database that began with
    it names it.  How a migration is taken back is planned by the tool, and stands in no file.

    Source: https://github.com/ariga/atlas (sql/migrate/dir.go, lex.go; cmd/atlas/internal/cmdapi/migrate.go).
    """
    names = [name for name in folder.top if name.endswith(".sql")]
    steps: list[Step] = []
    left_out = [Note(folder.where(_SUM), "is Atlas's list of checksums")] if folder.has(_SUM) else []
    doubts = {note.path: note for note in _sums(folder, names)}
    for name in names:
        step, is_checkpoint = _step(folder, name)
        if step.path in doubts:
            step = replace(step, notes=(*step.notes, doubts[step.path]))
        if is_checkpoint and steps:
            steps[-1] = replace(steps[-1], also=(*steps[-1].also, step.version))
            left_out.append(Note(step.path, f"is a checkpoint: it makes what those up to {steps[-1].path} make"))
            continue
        steps.append(step)
    return source_of(folder, "Atlas", steps, left_out, keeps_session=True)


def _step(folder: Folder, name: str) -> tuple[Step, bool]:
    """The migration, and whether it is a checkpoint."""
    path, text = folder.where(name), folder.text(name)
    version = name.removesuffix(".sql").partition("_")[0]
    number, words = numbered(name.removesuffix(".sql"))
    said: dict[str, list[str]] = {}
    for directive, value in _directives(text.decode()):
        said.setdefault(directive, []).append(value)
    modes = said.get("txmode", [])
    if len(modes) > 1 or not set(modes) <= {"none", "file"}:
        raise BadMigrationFile(
            f"{path} says atlas:txmode {' and '.join(modes)}, which Atlas refuses in a file", hint="write none or file"
        )
    notes: tuple[Note, ...] = ()
    if "txtar" in said:
        what = "it is an archive of several files (atlas:txtar)"
        notes = (Note(path, what, "keep the SQL of its migration.sql, and look at the others", 1, is_open=True),)
    is_wrapped = modes != ["none"]
    cut = cut_at()
    delimiter = _DELIMITER.match(text.decode())
    if delimiter is not None:
        end = delimiter["value"].replace("\\n", "\n").replace("\\r", "\r").replace("\\t", "\t").encode()
        sent = cut_at(end)(text[delimiter.end() :])
        text = joined(piece.removesuffix(end) for piece in sent)
    section = Section(path, _OBEYED.sub(b"", text), is_wrapped=is_wrapped, cut=None if is_wrapped else cut)
    step = Step(version, number, words, path, section, None, notes)
    return step, "checkpoint" in said


def _directives(text: str) -> Iterator[tuple[str, str]]:
    """Those of the file: the comments at its top, if a blank line parts them from the first statement."""
    found: list[tuple[str, str]] = []
    lines = text.split("\n")
    count = next((n for n, line in enumerate(lines) if not line.startswith(("#", "--"))), len(lines))
    if count < len(lines) and lines[count].strip(" \t") and any(lines[count:]):
        return
    for line in lines[:count]:
        if directive := _DIRECTIVE.match(line.strip()):
            found.append((directive["name"], (directive["value"] or "").strip()))
    yield from found


def _sums(folder: Folder, names: list[str]) -> Iterator[Note]:
    """What atlas.sum says that is not so.  Raise `BadMigrationFile` where a file that it lists is missing."""
    if not folder.has(_SUM):
        return
    path = folder.where(_SUM)
    lines = folder.text(_SUM).decode().split("\n")[1:]
    known = {name.strip(): value.strip() for name, mark, value in (line.partition("h1:") for line in lines) if mark}
    missing = [name for name in known if name not in names]
    if missing:
        raise BadMigrationFile(
            f"{path} lists {missing[0]}, which is not there",
            hint="bring the file back; or, if it is gone for good: atlas migrate hash",
        )
    whole = hashlib.sha256()
    for name in names:
        source = Path(folder.where(name)).read_bytes()
        whole.update(name.encode())
        if re.match(rb"[ -~]*atlas:sum +ignore", source):
            continue
        whole.update(source)
        if name not in known:
            yield Note(folder.where(name), "is not in atlas.sum, so Atlas runs nothing of this folder")
        elif known[name] != base64.b64encode(whole.digest()).decode():
            what = "it, or one before it, is not as it was when atlas.sum was made"
            yield Note(folder.where(name), what, "databases may hold an older text; adopt compares")
            return


TOOLS: tuple[Tool, ...] = (Tool("atlas", read_atlas, "Atlas", is_flat=True),)

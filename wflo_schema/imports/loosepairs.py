"""Pairs of no tool that is known: whatever their names say of which file takes back which.

Hides how the order is found, and where two pairings would be possible.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.layouts import FORWARD, UNDO, find_pairs
from wflo_schema.imports.source import Folder, Note, Source, Step, Wishes, is_sql, natural, numbered
from wflo_schema.words import counted, listed

_PIECE = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[\W_]+|.")


def read_loose_pairs(folder: Folder, wishes: Wishes) -> Source:
    """Pairs of no tool: in the order of their numbers or names, each file as ``psql -f`` runs it.

    Raise `BadMigrationFile` where a file may be of two pairs, or the order is not clear.
    """
    undos = _undos(folder)
    scripts = [name for name in folder.files if is_sql(name)]
    words = {w for undo, forward in undos.items() for w in _words(undo) - _words(forward) if w in UNDO}
    left_out = [Note(folder.where(name), "is no SQL") for name in folder.files if not is_sql(name)]
    by_forward = {forward: undo for undo, forward in undos.items()}
    steps: list[Step] = []
    for name in scripts:
        if name in undos:
            continue
        undo = by_forward.get(name)
        if undo is None and _ends(name) & words:
            what = "by its name it takes back what no file makes"
            left_out.append(Note(folder.where(name), what, "is its other half missing?"))
            continue
        number, label = numbered(_label(name, undo))
        steps.append(
            Step(
                "",
                number,
                label,
                folder.where(name),
                folder.section(name, is_wrapped=False, is_psql=True),
                folder.section(undo, is_wrapped=False, is_psql=True) if undo else None,
                files=tuple(folder.where(n) for n in (name, undo) if n),
            )
        )
    return Source(
        "no known tool", folder.path, "", tuple(_ordered(folder, steps, wishes.order)), left_out=tuple(left_out)
    )


def shows_loose_pairs(folder: Folder) -> str:
    """What shows that most files are pairs; nothing where that is not so."""
    try:
        undos = _undos(folder)
    except BadMigrationFile as error:
        return error.message.splitlines()[0]  # said in full where it is read
    scripts = [name for name in folder.files if is_sql(name)]
    alone = len(scripts) - 2 * len(undos)
    if not undos or alone > len(undos):
        return ""
    undo, forward = next(iter(undos.items()))
    return f"{forward}, and {undo} takes it back; {counted(len(undos), 'pair')}, each file read as psql -f runs it"


def _undos(folder: Folder) -> dict[str, str]:
    """Which file each undoes, by its path.  Raise `BadMigrationFile` where that could be two."""
    found: dict[str, set[str]] = {}
    for forward, undo in _all_pairs(folder):
        found.setdefault(undo, set()).add(forward)
    taken: dict[str, str] = {}
    for undo, forwards in sorted(found.items()):
        others = {taken[f] for f in forwards if f in taken}
        if len(forwards) > 1 or others or forwards & found.keys():
            what = f"{undo} could take back {listed(sorted(forwards))}"
            if others:
                what = f"{listed(sorted({undo, *others}))} could each take back {listed(sorted(forwards))}"
            raise BadMigrationFile(
                f"two pairings are possible in {folder.path}: {what}",
                hint="rename one of them, or move it out of the folder",
            )
        taken |= dict.fromkeys(forwards, undo)
    return {undo: next(iter(forwards)) for undo, forwards in found.items()}


def _all_pairs(folder: Folder) -> Iterator[tuple[str, str]]:
    """The pairs in each folder, and those of two folders of which one undoes what the other does."""
    by_folder: dict[str, list[str]] = {}
    for name in folder.files:
        if is_sql(name):
            by_folder.setdefault(name.rpartition("/")[0], []).append(name.rpartition("/")[2])
    for inner, names in by_folder.items():
        start = f"{inner}/" if inner else ""
        for name in names:
            ours = re.sub(r"\.rollback\.sql\Z", ".sql", name)
            if ours != name and ours in names:
                yield start + ours, start + name
        for forward, undo in find_pairs(names):
            yield start + forward, start + undo
    for forward, undo in find_pairs([f for f in by_folder if f]):
        here, there = by_folder[forward], by_folder[undo]
        for name in here:
            if name in there:
                yield f"{forward}/{name}", f"{undo}/{name}"
        for one, other in find_pairs([n for n in (*here, *there) if not (n in here and n in there)]):
            if one in here and other in there:
                yield f"{forward}/{one}", f"{undo}/{other}"


def _stem(name: str) -> str:
    return os.path.splitext(name)[0]


def _words(name: str) -> set[str]:
    return {piece.lower() for piece in _PIECE.findall(_stem(name))}


def _ends(name: str) -> set[str]:
    """The words with which a name begins, but for a number, and ends; those of its folders as well."""
    *folders, base = name.split("/")
    words = re.findall(r"[a-z]+", _stem(base).lower())
    return {*words[:1], *words[-1:], *map(str.lower, folders)}


def _label(name: str, undo: str | None) -> str:
    """The name without the words that say its direction."""
    if undo is None:
        return _stem(name).replace("/", "_")
    pieces, other = _PIECE.findall(_stem(name)), _PIECE.findall(_stem(undo))
    said = [
        "" if p.lower() in FORWARD and (n >= len(other) or other[n].lower() != p.lower()) else p
        for n, p in enumerate(pieces)
    ]
    return re.sub(r"(?P<one>[\W_])[\W_]*", r"\g<one>", "".join(said).replace("/", "_")).strip("_-. ")


def _ordered(folder: Folder, steps: Sequence[Step], order: str) -> list[Step]:
    by_name = sorted(steps, key=lambda step: step.path)
    if order not in ("", "name", "number"):
        return _listed_order(folder, by_name, Path(order))
    numbers = [natural(step.number) for step in by_name]
    is_numbered = all(numbers)
    if order == "number" and not is_numbered:
        bare = next(step.path for step in by_name if not step.number)
        raise BadMigrationFile(f"{bare} begins with no number", hint="--order name, or --order FILE, which lists them")
    if order == "name" or (not order and is_numbered and numbers == sorted(numbers)):
        return by_name
    if is_numbered and (order == "number" or len(set(numbers)) == len(numbers)):
        return sorted(by_name, key=lambda step: natural(step.number))
    raise BadMigrationFile(
        f"the order of the files in {folder.path} is not clear: not each begins with a number of its own",
        hint="say it: --order name, --order number, or --order FILE, which lists them",
    )


def _listed_order(folder: Folder, steps: Sequence[Step], path: Path) -> list[Step]:
    """The steps in the order of the paths in a file, one on each line."""
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadMigrationFile(f"cannot read {path}, which --order names: {error}") from None
    places = {os.path.normpath(folder.where(line)): n for n, line in enumerate(lines) if line and line[0] != "#"}
    missing = [step.path for step in steps if os.path.normpath(step.path) not in places]
    if missing:
        raise BadMigrationFile(f"{path} does not name {listed(missing)}", hint="name each file on a line of its own")
    unknown = places.keys() - {os.path.normpath(f) for step in steps for f in step.files}
    if unknown:
        raise BadMigrationFile(f"{path} names what is not there: {listed(sorted(unknown))}")
    return sorted(steps, key=lambda step: places[os.path.normpath(step.path)])

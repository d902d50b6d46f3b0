"""Drizzle: what its journal names, in that order, cut at each mark; its ledger knows a file by its checksum."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.cutting import joined
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, left_out_of, numbered

_JOURNAL = "meta/_journal.json"
_CUT = b"--> statement-breakpoint"
_DIALECTS = ("postgresql", "pg")


def read_drizzle(folder: Folder, wishes: Wishes) -> Source:
    """Drizzle: one transaction for all that is pending, in the order of ``meta/_journal.json``.

    Without a journal, as from its version 1 on, each folder with a ``migration.sql`` is one, in the order of names.

    Source: https://github.com/drizzle-team/drizzle-orm (src/migrator.ts, src/pg-core/dialect.ts).
    """
    has_journal = folder.has(_JOURNAL)
    entries = list(_entries(folder) if has_journal else _folders(folder))
    steps: list[Step] = []
    for name, notes in entries:
        source = Path(folder.where(name)).read_bytes()
        version = hashlib.sha256(source).hexdigest()
        known = next((s for s in steps if s.version == version), None)
        if known is not None:
            what = f"has the same text as {known.path}, so Drizzle's ledger cannot tell the two apart"
            notes, version = (*notes, Note(folder.where(name), what)), ""
        step = _step(folder, name, version, notes, is_journal=has_journal)
        if version and source != folder.text(name):  # CRLF: where it ran, it may have been without
            step = replace(step, also=(hashlib.sha256(folder.text(name)).hexdigest(),))
        steps.append(step)
    used = {name for name, _ in entries}
    rest = folder.without(used)
    why = "not in meta/_journal.json, so Drizzle does not run it" if has_journal else "no migration of Drizzle"
    left_out = (
        *left_out_of(folder, [n for n in rest if n.endswith(".sql")], why),
        *left_out_of(folder, [n for n in rest if not n.endswith(".sql")], "what Drizzle keeps for itself"),
    )
    return Source("Drizzle", folder.path, "", tuple(steps), ("drizzle",), left_out, keeps_session=True)


def _entries(folder: Folder) -> Iterator[tuple[str, tuple[Note, ...]]]:
    """The files that the journal names, and what is to be said of each."""
    path = folder.where(_JOURNAL)
    try:
        journal = json.loads(folder.text(_JOURNAL))
        dialect = journal.get("dialect", "postgresql")
        entries = [(str(e["tag"]), int(e.get("when", 0))) for e in journal["entries"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        why = str(error) if isinstance(error, json.JSONDecodeError) else "it holds no list of entries with tags"
        raise BadMigrationFile(f"cannot read {path}: {why}", hint="bring it back as Drizzle wrote it") from None
    if dialect not in _DIALECTS:
        raise BadMigrationFile(f"{path} is for {dialect}, not for PostgreSQL", hint="name the folder of PostgreSQL")
    seen: set[str] = set()
    last_tag, last = "", 0
    for tag, when in entries:
        name = f"{tag}.sql"
        if not folder.has(name):
            raise BadMigrationFile(
                f"{path} names {tag}, and there is no {folder.where(name)}", hint="bring the file back as it was"
            )
        if tag in seen:
            raise BadMigrationFile(f"{path} names {tag} twice", hint="bring it back as Drizzle wrote it")
        seen.add(tag)
        notes: tuple[Note, ...] = ()
        if when < last:
            what = f"its time in the journal lies before that of {last_tag}: a database that had that one never ran it"
            notes = (Note(folder.where(name), what, "look whether each of yours has it; adopt says so"),)
        else:
            last_tag, last = tag, when
        yield name, notes


def _folders(folder: Folder) -> Iterator[tuple[str, tuple[Note, ...]]]:
    for inner in folder.folders:
        if folder.has(f"{inner}/migration.sql"):
            yield f"{inner}/migration.sql", ()


def _step(folder: Folder, name: str, version: str, notes: tuple[Note, ...], *, is_journal: bool) -> Step:
    path = folder.where(name)
    number, words = numbered(name.removesuffix(".sql") if is_journal else name.partition("/")[0])
    text = folder.text(name)
    if _CUT in text:
        text = joined(tuple(text.split(_CUT)))
    return Step(version, number, words, path, Section(path, text), None, notes)


TOOLS: tuple[Tool, ...] = (Tool("drizzle", read_drizzle, "Drizzle", is_flat=True),)

"""pgroll: migrations of operations in JSON or YAML, of which those that are SQL can be read.

Hides the two formats.  Source: https://github.com/xataio/pgroll (pkg/migrations/op_common.go, op_raw_sql.go).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.cutting import joined
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, numbered, source_of

_SUFFIXES = (".json", ".yaml", ".yml")
_SAYS = b"operations"


def read_pgroll(folder: Folder, wishes: Wishes) -> Source:
    """Read a folder in the order of its names; a migration of anything but one ``sql`` waits for a person."""
    steps: list[Step] = []
    seen: dict[str, str] = {}
    for name in sorted(n for n in folder.files if n.endswith(_SUFFIXES) and "/" not in n):
        known = seen.setdefault(os.path.splitext(name)[0], name)
        if known != name:
            raise BadMigrationFile(f"two migrations have one name: {folder.where(known)} and {folder.where(name)}")
        steps.append(_step(folder, name))
    return source_of(folder, "pgroll", steps)


def _step(folder: Folder, name: str) -> Step:
    path, stem = folder.where(name), os.path.splitext(name)[0]
    number, words = numbered(stem)
    said = _parsed(folder, name)
    operations = said.get("operations") if isinstance(said, Mapping) else None
    if not isinstance(operations, list) or not all(isinstance(o, Mapping) and len(o) == 1 for o in operations):
        raise BadMigrationFile(f"{path} is no migration of pgroll: it has no list of operations")
    others = [kind for o in operations for kind in o if kind != "sql"]
    raw = [o["sql"] for o in operations if "sql" in o]
    if others or not raw or not all(isinstance(one, Mapping) and isinstance(one.get("up"), str) for one in raw):
        what = f"is made of {', '.join(others)}, of which pgroll makes SQL when it runs" if others else "holds no SQL"
        note = Note(path, what, "write it in SQL: what stands in the database when it is complete", is_open=True)
        return Step(stem, number, words, path, None, notes=(note,))
    forward = Section(path, joined(one["up"].encode() for one in raw), is_wrapped=False)
    downs = [one["down"].encode() for one in reversed(raw) if isinstance(one.get("down"), str) and one["down"]]
    undo = Section(path, joined(downs), is_wrapped=False) if downs else None
    return Step(stem, number, words, path, forward, undo)


def _parsed(folder: Folder, name: str) -> object:
    text, path = folder.text(name).decode(), folder.where(name)
    if name.endswith(".json"):
        try:
            return json.loads(text)
        except ValueError as error:
            raise BadMigrationFile(f"{path} is no JSON: {error}") from None
    try:
        import yaml
    except ImportError:
        raise BadMigrationFile(f"{path} is YAML, and nothing here reads it", hint="pip install pyyaml") from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())
        raise BadMigrationFile(f"{path} is no YAML: {said}") from None


def _shows(folder: Folder) -> str:
    for name in folder.top:
        if name.endswith(_SUFFIXES) and _is_one(folder, name):
            return f"{name} lists operations"
    return ""


def _is_one(folder: Folder, name: str) -> bool:
    try:
        return _SAYS in folder.text(name) and isinstance(_parsed(folder, name), Mapping) and bool(_step(folder, name))
    except BadMigrationFile as error:
        return error.hint == "pip install pyyaml" and folder.text(name).lstrip().startswith(_SAYS)


TOOL = Tool("pgroll", read_pgroll, shows=_shows, is_flat=True)

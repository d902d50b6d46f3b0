"""Which tool a folder is of: by the names of its files, by what comments say in them, and by what stands beside them.

Hides the list of the tools that are read.  What shows a tool is in `files.layouts`, whose list refuses such folders.
"""

from __future__ import annotations

import contextlib
import difflib
import os
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import replace

from wflo_schema.errors import BadMigrationFile, UsageError, WfloSchemaError
from wflo_schema.files.layouts import LAYOUTS
from wflo_schema.imports import (
    atlas,
    db_migrate,
    directories,
    drizzle,
    flyway,
    graphile,
    liquibase,
    marked,
    offline,
    pairs,
    plain,
    sections,
    sqitch,
)
from wflo_schema.imports.source import Folder, Source, Tool, Wishes, is_sql
from wflo_schema.words import counted, listed

# The first that is shown by a file counts; where none is, the first whose ``shows`` says something.
TOOLS: tuple[Tool, ...] = (
    *pairs.TOOLS,
    *db_migrate.TOOLS,
    *marked.TOOLS,
    *sections.TOOLS,
    *graphile.TOOLS,
    *atlas.TOOLS,
    *drizzle.TOOLS,
    *directories.TOOLS,
    *flyway.TOOLS,
    *liquibase.TOOLS,
    *sqitch.TOOLS,
    plain.STRUCTURE,
    *offline.TOOLS,
    *plain.TOOLS,
)

NAMES: tuple[str, ...] = tuple(dict.fromkeys(tool.name for tool in TOOLS))


def read_source_folder(path: str, wishes: Wishes, *, tool: str | None = None) -> Source:
    """Read another tool's folder.

    Raise `UsageError` for a tool that is not known, and `BadMigrationFile` where the folder shows no tool or more than
    one, or cannot be read as that tool reads it.
    """
    folder = Folder(path)
    if not folder.files:
        raise BadMigrationFile(f"there is no file in {path}", hint="name the folder that holds the migrations")
    if tool is None and wishes.order:
        ordered = next((t for t in TOOLS if t.takes_order and t.shows is not None and t.shows(folder)), None)
        tool = ordered.name if ordered else None if _shown(folder) else plain.PLAIN.name
    if tool is not None:
        chosen, reason = _named(tool), "as --from says"
        if chosen is plain.PLAIN and not folder.is_file:
            _refuse_shown(folder)
    elif wishes.order:
        raise UsageError(
            f"{_recognised(folder)[0].name} says its order itself; --order is for a folder of no tool",
            hint="leave out --order",
        )
    else:
        chosen, reason = _recognised(folder)
    found = chosen.read(folder, wishes)
    if not found.steps:
        below = _below(folder, lambda inner: bool(chosen.read(inner, wishes).steps))
        where = f"right in {path}" if below else f"in {path}"
        raise BadMigrationFile(
            f"there is no migration of {chosen.name} {where}; it holds {listed(folder.files)}",
            hint=_commands(below, f" --from {tool}" if tool else "")
            or "name the folder that holds the migrations, or the tool: --from TOOL",
        )
    return replace(found, reason=found.reason or reason)


# Folders further down that are proposed.
_MOST_BELOW = 3


def _below(folder: Folder, holds: Callable[[Folder], bool]) -> list[str]:
    """The folders in it for which that is so."""
    found = []
    for name in dict.fromkeys(os.path.dirname(name) for name in folder.files if is_sql(name)):
        with contextlib.suppress(WfloSchemaError):
            if name and holds(Folder(folder.where(name))):
                found.append(folder.where(name))
    return found


def _commands(folders: Sequence[str], options: str) -> str:
    """The first commands that import one of these folders."""
    lines = [f"wflo-schema import {shlex.quote(name)}{options}" for name in folders[:_MOST_BELOW]]
    rest = len(folders) - len(lines)
    return "\n".join([*lines, *([f"or one of {counted(rest, 'more folder')}"] if rest else [])])


def _refuse_shown(folder: Folder) -> None:
    """Raise `BadMigrationFile` where the folder shows a tool whose folders are read."""
    for layout, files in _shown(folder).items():
        known = [f"--from {t.name}" for t in TOOLS if t.layout == layout]
        if known:
            raise BadMigrationFile(
                f"{folder.path} is a folder of {layout}, as {files[0]} shows: not each of its files goes forward",
                hint=f"read it as that tool does: {' or '.join(known)}",
            )


def _named(name: str) -> Tool:
    wanted = name.lower()
    found = next((t for t in TOOLS if wanted in (t.name, t.layout.lower())), None)
    if found is None:
        near = difflib.get_close_matches(wanted, NAMES, n=1)
        raise UsageError(
            f"no tool is known as {name}",
            hint=f"--from {near[0]}" if near else f"--from takes one of: {', '.join(NAMES)}",
        )
    return found


def _recognised(folder: Folder) -> tuple[Tool, str]:
    """The tool that the folder's files show, and what shows it."""
    shown = _shown(folder)
    for tool in TOOLS:
        others = shown.keys() - {tool.layout}
        why = shown.get(tool.layout, [""])[0] or (tool.shows(folder) if others & tool.also and tool.shows else "")
        if others and others <= tool.also and why:
            return tool, why
    if len(shown) > 1:
        what = "\n".join(f"{tool or 'of no tool that is known'}: {listed(files, 3)}" for tool, files in shown.items())
        raise BadMigrationFile(
            f"{folder.path} holds files of {counted(len(shown), 'tool')}:\n{what}",
            hint="import each from a folder of its own; or say whose all of them are: --from TOOL",
        )
    if shown:
        layout, files = next(iter(shown.items()))
        fitting = [t for t in TOOLS if t.layout == layout]
        known = next((t for t in fitting[1:] if t.shows is not None and t.shows(folder)), next(iter(fitting), None))
        if known is None:
            raise BadMigrationFile(
                f"{folder.path} is a folder of {layout}, which cannot be imported yet: {folder.where(files[0])}",
                hint=f"if another tool reads it as well: --from TOOL, one of: {', '.join(NAMES)}",
            )
        return known, files[0]
    for tool in TOOLS:
        if tool.shows is not None and (why := tool.shows(folder)):
            return tool, why
    plain = [name for name in folder.files if is_sql(name)]
    below = _below(folder, lambda inner: any(tool.shows is not None and tool.shows(inner) for tool in TOOLS))
    raise BadMigrationFile(
        f"nothing in {folder.path} shows whose it is; it holds {listed(plain or folder.files)}",
        hint=_commands(below, "")
        or f"name the tool: --from TOOL, one of: {', '.join(NAMES)}\n"
        "or, where no tool reads them: --from plain --order name, number, or a file that lists them",
    )


def _shown(folder: Folder) -> dict[str, list[str]]:
    """By tool, as `files.layouts` calls it, what shows it."""
    shown: dict[str, list[str]] = {}
    for name in folder.files:
        tool, why = _shown_by(folder, name)
        if tool:
            shown.setdefault(tool, []).append(why)
    return shown


def _shown_by(folder: Folder, name: str) -> tuple[str, str]:
    """The tool that a file is of, and what shows it."""
    base = name.rpartition("/")[2]
    for layout in LAYOUTS:
        if layout.own and any(_fits(layout.own, part) for part in _parts(name)):
            return layout.tool, name
        if layout.names and is_sql(base) and _fits(layout.names, f"{base.rpartition('.')[0]}.sql"):
            return layout.tool, name
    if not is_sql(base):
        return "", ""
    for number, line in enumerate(folder.text(name).split(b"\n"), 1):
        if line.lstrip(b" \t#").startswith(b"--"):
            said = line.decode().lstrip(" \t#").rstrip("\r")
            found = next((w for w in LAYOUTS if w.line and re.match(w.line, said, re.IGNORECASE)), None)
            if found is not None:
                return found.tool, f"{name}:{number} says {' '.join(said.split())[:60]}"
    return "", ""


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def _parts(name: str) -> list[str]:
    """The path, each part of it that ends it, and the names of its folders: a/b/c, b/c, c, a, b."""
    parts = name.split("/")
    return ["/".join(parts[n:]) for n in range(len(parts))] + parts[:-1]

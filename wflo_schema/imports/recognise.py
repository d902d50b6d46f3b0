"""Which tool a folder is of: by the names of its files, by what comments say in them, and by what stands beside them.

Hides the list of the tools that are read.  What shows a tool is in `files.tools`, whose list refuses such folders.
"""

from __future__ import annotations

import difflib
import os
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wflo_schema.errors import BadMigrationFile, Refused, UsageError
from wflo_schema.files.layouts import tool_of
from wflo_schema.files.tools import LAYOUTS
from wflo_schema.imports import (
    alembic,
    atlas,
    db_migrate,
    directories,
    django,
    drizzle,
    flyway,
    graphile,
    liquibase,
    marked,
    pairs,
    pgroll,
    plain,
    programs,
    sections,
    sqitch,
    yoyo,
)
from wflo_schema.imports.source import Folder, Source, Tool, Wishes, is_sql
from wflo_schema.words import counted, listed, shown

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
    alembic.TOOL,
    django.TOOL,
    yoyo.TOOL,
    pgroll.TOOL,
    *programs.TOOLS,
    *plain.TOOLS,
)

NAMES: tuple[str, ...] = tuple(dict.fromkeys(tool.name for tool in TOOLS))


def read_source_folder(path: str, wishes: Wishes, *, tool: str | None = None, but: str = "") -> Source:
    """Read another tool's folder, without the folder ``but`` in it.

    Raise `UsageError` for a tool that is not known, and `BadMigrationFile` where the folder shows no tool or more than
    one, or cannot be read as that tool reads it.
    """
    folder = Folder(path, but)
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
            f"{_recognised(folder, wishes)[0].name} says its order itself; --order is for a folder of no tool",
            hint="leave out --order",
        )
    else:
        chosen, reason, folder = _recognised(folder, wishes)
        if chosen.read is pairs.read_golang_migrate:
            pairs.refuse_mixed(folder)
    if chosen.is_flat:
        folder = _home(folder, chosen, wishes)
    found = chosen.read(folder, wishes)
    if not found.steps:
        raise BadMigrationFile(
            f"there is no migration of {chosen.name} in {folder.path}; it holds {listed(folder.files)}",
            hint="name the folder that holds the migrations, or the tool: --from TOOL",
        )
    return replace(found, reason=found.reason or reason)


def refuse_programs(path: str) -> None:
    """Raise `BadMigrationFile`, with what to do instead, where the folder's migrations are programs."""
    folder = Folder(path)
    try:
        chosen = _recognised(folder, Wishes())[0] if folder.files else plain.PLAIN
    except BadMigrationFile:
        return  # said when it is read
    if chosen in programs.TOOLS:
        chosen.read(folder, Wishes())


def _home(folder: Folder, tool: Tool, wishes: Wishes) -> Folder:
    """The one folder in it in which the tool's files are.  Raise `BadMigrationFile` where there are more."""
    scripts = [name for name in folder.files if is_sql(name)]
    shown = [name for name, _ in _shown(folder).get(tool.layout, ())]
    with_scripts = _homes_of(scripts)
    homes = _homes_of(filter(is_sql, shown)) or [home for home in _homes_of(shown) if home in with_scripts]
    if (not homes or homes == [""]) and not _reads(tool, folder, wishes):
        homes = _homes_of(name for name in scripts if re.match(r"\d", name.rpartition("/")[2]))
    if len(homes) == 1:
        return folder.within(homes[0])
    if homes and "" not in homes:
        raise _many(folder, dict.fromkeys(homes, tool.name))
    return folder


def _homes_of(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(name.rpartition("/")[0] for name in names))


def _many(folder: Folder, homes: Mapping[str, str]) -> BadMigrationFile:
    """``homes`` are the folders in it, and the tool of each."""
    tools = " or ".join(dict.fromkeys(homes.values()))
    return BadMigrationFile(
        f"{folder.path} holds {counted(len(homes), 'folder')} with migrations of {tools}: {listed([*homes])}",
        hint="\n".join(
            f"name one of them: wflo-schema import {shlex.quote(folder.within(home).path)} --from {tool}"
            for home, tool in [*homes.items()][:_MOST_NAMED]
        ),
    )


# Folders that are named in one hint.
_MOST_NAMED = 3


def _refuse_shown(folder: Folder) -> None:
    """Raise `BadMigrationFile` where the folder shows a tool whose folders are read."""
    for layout, files in _shown(folder).items():
        known = [f"--from {t.name}" for t in TOOLS if t.layout == layout]
        if known:
            raise BadMigrationFile(
                f"{folder.path} is a folder of {layout}, as {files[0][1]} shows: not each of its files goes forward",
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


def _recognised(folder: Folder, wishes: Wishes) -> tuple[Tool, str, Folder]:
    """The tool that the folder's files show, what shows it, and where: there, or in a folder in it."""
    shown = _shown(folder)
    for tool in TOOLS:
        others = shown.keys() - {tool.layout}
        why = shown[tool.layout][0][1] if tool.layout in shown else ""
        why = why or (tool.shows(folder) if others & tool.also and tool.shows else "")
        if others and others <= tool.also and why:
            return tool, why, folder
    if len(shown) > 1:
        what = "\n".join(
            f"{tool or 'of no tool that is known'}: {listed([why for _, why in files], 3)}"
            for tool, files in shown.items()
        )
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
                f"{folder.path} is a folder of {layout}, which cannot be imported yet: {folder.where(files[0][0])}",
                hint=f"if another tool reads it as well: --from TOOL, one of: {', '.join(NAMES)}",
            )
        home = _home(folder, known, wishes) if known.is_flat else folder
        return (known, files[0][1], folder) if home is folder else _recognised(home, wishes)
    of_no_tool = (plain.PAIRS, plain.PLAIN)
    # of one file of SQL, such as a dump, what stands around it says nothing
    is_one = folder.is_file and is_sql(folder.files[0])
    for tool in (plain.STRUCTURE, alembic.TOOL) if is_one else TOOLS:
        if tool.shows is not None and tool not in of_no_tool and (why := tool.shows(folder)):
            return tool, why, folder
    deeper = {home: inner for home in folder.homes if home and (inner := _shown_in(folder.within(home)))}
    if len(deeper) > 1:
        raise _many(folder, {home: tool.name for home, (tool, _, _) in deeper.items()})
    if deeper:
        return next(iter(deeper.values()))
    for tool in of_no_tool:
        if tool.shows is not None and (why := tool.shows(folder)):
            return tool, why, folder
    raise _of_nobody(folder, wishes)


def _shown_in(folder: Folder) -> tuple[Tool, str, Folder] | None:
    """The tool of a folder in a project, by what stands right in it."""
    if not folder.top:
        return None
    found = ((t, t.shows(folder)) for t in TOOLS if t.is_flat and t.shows is not None)
    return next(((tool, why, folder) for tool, why in found if why), None)


def _of_nobody(folder: Folder, wishes: Wishes) -> BadMigrationFile:
    """What to type where nothing shows whose the folder is."""
    scripts = [name for name in folder.files if is_sql(name)]
    homes = _homes_of(scripts)
    inner = folder.within(homes[0]) if len(homes) == 1 else folder
    hints = [f"name the tool: --from TOOL, one of: {', '.join(NAMES)}"]
    if scripts:
        orders = {"": "", "number": " --order number"}
        order = next((said for one, said in orders.items() if _reads(plain.PLAIN, inner, Wishes(one))), _BY_LIST)
        hints = [f"where no tool reads them: wflo-schema import {shlex.quote(inner.path)} --from plain{order}"]
        hints[:0] = [
            f"where psql begins with {n}, which reads others: wflo-schema import {shlex.quote(f'{folder.path}/{n}')}"
            for n in _first_scripts(folder, scripts)[:3]
        ]
        able = [t.name for t in TOOLS if t not in (plain.PAIRS, plain.PLAIN) and _reads(t, inner, wishes)]
        if able:
            hints.append(f"where one does, name it: --from {' or '.join(able)}")
    return BadMigrationFile(
        f"nothing in {folder.path} shows whose it is; it holds {listed(scripts or folder.files)}", hint="\n".join(hints)
    )


# psql's commands that read another file.
_INCLUDES = re.compile(rb"^[ \t]*\\(?:ir?|include(?:_relative)?)[ \t]+['\"]?([^\s'\"]+)", re.MULTILINE)


def _first_scripts(folder: Folder, scripts: Sequence[str]) -> list[str]:
    """Those that read others, and that no other reads."""
    reads = {name: _INCLUDES.findall(folder.said(name)) for name in scripts}
    inner = {os.path.basename(path.decode(errors="replace")) for paths in reads.values() for path in paths}
    return [name for name, paths in reads.items() if paths and os.path.basename(name) not in inner]


_BY_LIST = " --order FILE, which lists them one a line"


def _reads(tool: Tool, folder: Folder, wishes: Wishes) -> bool:
    """Does the tool find migrations there, and no fault?"""
    try:
        return bool(tool.read(folder, wishes).steps)
    except (BadMigrationFile, Refused, UsageError):
        return False


def _shown(folder: Folder) -> dict[str, list[tuple[str, str]]]:
    """By tool, as `files.tools` calls it, the files that show it, and what of each."""
    shown: dict[str, list[tuple[str, str]]] = {}
    for name in folder.files:
        tool, why = _shown_by(folder, name)
        if tool:
            shown.setdefault(tool, []).append((name, why))
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
            if tool := tool_of(said):
                return tool, f"{name}:{number} says {shown(said)}"
    return "", ""


def _fits(pattern: str, name: str) -> bool:
    return re.fullmatch(pattern, name, re.IGNORECASE) is not None


def _parts(name: str) -> list[str]:
    """The path, each part of it that ends it, and the names of its folders: a/b/c, b/c, c, a, b."""
    parts = name.split("/")
    return ["/".join(parts[n:]) for n in range(len(parts))] + parts[:-1]

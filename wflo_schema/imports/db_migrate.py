"""db-migrate: a program in JavaScript for each migration, which mostly does no more than run SQL.

Hides how it is seen that a program runs one text of SQL and nothing else.
"""

from __future__ import annotations

import os
import re

from wflo_schema.imports.pairs import Half, joined
from wflo_schema.imports.source import Folder, Note, Section, Source, Tool, Wishes

# 20150101000000-users.js; what stands behind a further dot is no part of the name.
_NAME = re.compile(r"(?P<name>(?P<number>\d{14})-(?P<words>[^.]+))(?:\..*)?\.js\Z", re.ASCII)

# The program that `create --sql-file` writes reads sqls/NAME-up.sql.
_FILE = re.compile(r"sqls['\"/,\s]+(?P<name>[^'\"/]+)-(?P<direction>up|down)\.sql")
_MORE_THAN_FILE = re.compile(r"\bdb\s*\.\s*(?!runSql\s*\(\s*\w+\s*[,)])\w+\s*\(")

# A direction whose function runs one literal, or calls back at once.
_LITERAL = r"""`(?:[^`\\$]|\\.|\$(?!\{))*`|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*\""""
_ONE_TEXT = re.compile(
    r"exports\.(?:up|down)\s*=\s*(?:async\s+)?(?:function\s*\w*\s*)?\(\s*(?P<db>\w+)\s*(?:,\s*(?P<back>\w+)\s*,?\s*)?\)"
    rf"\s*(?:=>\s*)?\{{\s*(?:(?:return\s+|await\s+)?(?P=db)\s*\.\s*runSql\(\s*(?P<sql>{_LITERAL})\s*,?\s*"
    r"(?:\[\s*\]\s*,?\s*)?(?:(?P=back)\s*,?\s*)?\)\s*;?|(?:return\s+)?(?P=back)\(\s*\)\s*;?|return(?:\s+null)?\s*;)?\s*\}\s*;?\s*",
    re.DOTALL,
)
_ESCAPED = {"n": "\n", "t": "\t", "`": "`", "'": "'", '"': '"', "\\": "\\", "$": "$", "\n": ""}


def read_db_migrate(folder: Folder, wishes: Wishes) -> Source:
    """db-migrate: the .js in the order of their names, each in a transaction; what they run is in sqls/ or in them.

    A program that does more than run one text waits for a person.
    Source: https://github.com/db-migrate/node-db-migrate (lib/file.js, lib/walker.js, lib/template.js,
    lib/executors/versioned/v1.js).
    """
    if _is_inner(folder):
        folder = Folder(os.path.normpath(os.path.join(folder.path, os.pardir)))
    halves: list[Half] = []
    left_out: list[Note] = []
    used: set[str] = set()
    for name in folder.top:
        found = _NAME.match(name)
        if found is None:
            left_out.append(Note(folder.where(name), "is no file of db-migrate"))
            continue
        both = _sections(folder, name)
        for direction, section in both.items():
            path = name if section is None else os.path.relpath(section.path, folder.root or ".").replace(os.sep, "/")
            used.add(path)
            version, is_undo = f"/{found['name']}", direction == "down"
            halves.append(Half(version, found["number"], found["words"], is_undo, path, section))
    unused = [n for n in folder.files if "/" in n and n not in used]
    left_out += [Note(folder.where(n), "no .js of db-migrate runs it") for n in unused]
    return joined(folder, "db-migrate", halves, left_out, order=str)


def _sections(folder: Folder, name: str) -> dict[str, Section | None]:
    """What a program runs in each direction; None where that is not one text of SQL."""
    code = folder.text(name).decode()
    files = {m["direction"]: f"sqls/{m['name']}-{m['direction']}.sql" for m in _FILE.finditer(code)}
    if files and not _MORE_THAN_FILE.search(code):
        there = {d: folder.section(file) for d, file in files.items() if folder.has(file)}
        return {**there, "up": there.get("up")}
    found: dict[str, Section | None] = {"up": None}
    for start in re.finditer(r"^exports\.(up|down)\b", code, re.MULTILINE):
        end = re.compile(r"^(?:module\.)?exports\b", re.MULTILINE).search(code, start.end())
        said = _ONE_TEXT.fullmatch(code, start.start(), end.start() if end else len(code))
        text = _unescaped(said["sql"] or "``") if said else None
        line = code.count("\n", 0, said.start("sql") if said and said["sql"] else start.start()) + 1
        found[start[1]] = None if text is None else Section(folder.where(name), text.encode(), line)
    return found


def _unescaped(literal: str) -> str | None:
    """The text of a literal; None where an escape in it is none of the everyday ones."""
    if any(m[1] not in _ESCAPED for m in re.finditer(r"\\(.)", literal, re.DOTALL)):
        return None
    return re.sub(r"\\(.)", lambda m: _ESCAPED[m[1]], literal[1:-1], flags=re.DOTALL)


def _is_inner(folder: Folder) -> bool:
    return os.path.basename(os.path.abspath(folder.path)) == "sqls"


def _shows(folder: Folder) -> str:
    if _is_inner(folder):
        found = next((n for n in folder.top if re.fullmatch(r"\d{14}-.*-(?:up|down)\.sql", n, re.ASCII)), "")
        return f"sqls/{found}" if found else ""
    for name in folder.top:
        if _NAME.match(name) and re.search(rb"^exports\.(?:up|setup|_meta)\b", folder.text(name), re.MULTILINE):
            return f"{name}, which is one of its programs" if b"runSql" in folder.text(name) else ""
    return ""


TOOLS: tuple[Tool, ...] = (Tool("db-migrate", read_db_migrate, "db-migrate", _shows, is_flat=True),)

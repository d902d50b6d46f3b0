"""Tools with plain files and few marks of their own: node-pg-migrate, tern, postgres-migrations, Marv."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from wflo_schema.errors import BadMigrationFile
from wflo_schema.imports.cutting import cut_at
from wflo_schema.imports.settings import read_properties
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    holds_sql,
    numbered,
    refuse_doubled,
    source_of,
)

_PROGRAM = re.compile(r"\.[cm]?[jt]s\Z", re.IGNORECASE)


def _asks_for(package: str, folder: Folder) -> str:
    """What says that a program which stands around the folder uses a package; nothing where none does."""
    path = folder.beside("package.json", holding=f'"{package}":'.encode())
    return f"{os.path.relpath(path)} asks for {package}" if path else ""


def _program(path: str, version: str, tool: str) -> Step:
    """A migration that is a program."""
    number, words = numbered(version)
    what = f"is a program that {tool} runs"
    how = "write the SQL that it sends, as that tool or the server's log (log_statement = 'all') shows it"
    return Step(version, number, words, path, None, notes=(Note(path, what, how, is_open=True),))


# --- node-pg-migrate --------------------------------------------------------------------------

_UP = re.compile(r"^\s*--[\s-]*up\s+migration", re.IGNORECASE | re.MULTILINE)
_DOWN = re.compile(r"^\s*--[\s-]*down\s+migration", re.IGNORECASE | re.MULTILINE)
_MARK = re.compile(r"\A(?P<before>\s*)--[\s-]*(?:up|down)\s+migration\b[^\w\n]*(?P<words>[^\n]*)", re.IGNORECASE)
_HALF = re.compile(r"(?P<stem>.+)\.(?P<direction>up|down)\Z")


def read_node_pg_migrate(folder: Folder, wishes: Wishes) -> Source:
    """node-pg-migrate: what stands behind ``-- Up Migration``, and behind ``-- Down Migration``, of each file.

    Files come in the order of the numbers that they begin with; one of 17 digits is a time, like one of 13.  All of
    a run is one transaction, in one session.  Of X.up.sql and X.down.sql its newer loader makes one migration.

    Source: https://github.com/salsita/node-pg-migrate (src/sqlMigration.ts, migration.ts, migrationLoader.ts).
    """
    steps: dict[str, Step] = {}
    undone: dict[str, str] = {}
    for name in folder.top:
        stem, _, ending = name.rpartition(".")
        half = _HALF.match(stem)
        if half is not None and half["direction"] == "down" and ending.lower() == "sql":
            undone[half["stem"]] = name
        elif ending.lower() == "sql":
            step = _marked(folder, name, half["stem"] if half else stem)
        elif _PROGRAM.search(name) and not name.endswith(".d.ts"):
            step = _program(folder.where(name), stem, "node-pg-migrate")
        else:
            continue
        if half is None or half["direction"] == "up":
            known = steps.setdefault(step.version, step)
            refuse_doubled((known, step), "node-pg-migrate")
    for stem, name in undone.items():
        if stem not in steps:
            raise BadMigrationFile(
                f"{folder.where(name)} takes back what no file makes",
                hint=f"bring {stem}.up.sql back, or move this file away",
            )
        steps[stem] = _with_undo(steps[stem], folder.section(name), folder.where(name))
    ordered = sorted(steps.values(), key=lambda s: _place(s.version))
    return source_of(folder, "node-pg-migrate", ordered, keeps_session=True)


def _with_undo(step: Step, undo: Section, path: str) -> Step:
    number, words = numbered(step.version)
    return Step(step.version, number, words, step.path, step.forward, undo, step.notes, files=(step.path, path))


def _place(version: str) -> tuple[int, list[tuple[int, str]]]:
    """What a migration is sorted by: the number, then the name with its numbers as numbers."""
    found = re.match(r"\d+", version)
    digits = found[0] if found else "0"
    number = int(digits)
    if len(digits) == len("20200513070724505"):
        try:
            time = datetime.strptime(f"{digits}000", "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
            number = round(time.timestamp() * 1000)
        except ValueError:
            pass
    runs = re.findall(r"(\d+)|([^\W\d_]+)", version.casefold())
    return number, [(int(d) if d else -1, w) for d, w in runs]


def _marked(folder: Folder, name: str, version: str) -> Step:
    path, text = folder.where(name), folder.text(name).decode()
    up, down = ((m.start() if (m := mark.search(text)) else -1) for mark in (_UP, _DOWN))
    number, words = numbered(version)
    notes: list[Note] = []
    if up < 0:
        forward = _behind(path, text, 0, len(text))
        if down >= 0:
            line = text.count("\n", 0, _DOWN.search(text).end()) + 1  # type: ignore[union-attr]
            what = "it has no -- Up Migration, so node-pg-migrate runs all of it going up, this part too"
            notes.append(Note(path, what, "look whether you meant that", line))
    else:
        forward = _behind(path, text, up, len(text) if down < up else down)
        begins = up if down < 0 else min(up, down)
        before = text[:begins]
        if holds_sql(before.encode()):
            what = "what stands before its first mark is run by nobody"
            notes.append(Note(path, what, "it is left out; if it is meant, write it into a migration of its own", 1))
        elif begins == up and before.strip():
            forward = Section(path, before.encode() + forward.text)
    undo = _behind(path, text, down, len(text) if up < down else up) if down >= 0 else None
    return Step(version, number, words, path, forward, undo, tuple(notes))


def _behind(path: str, text: str, start: int, stop: int) -> Section:
    """A part of a file without the mark that begins it; what is said behind the mark stays."""

    def unmarked(found: re.Match[str]) -> str:
        lines = "\n" * found[0].count("\n")
        return f"{lines}-- {found['words']}" if found["words"].strip() else lines

    return Section(path, _MARK.sub(unmarked, text[start:stop]).encode(), text.count("\n", 0, start) + 1)


# --- tern -------------------------------------------------------------------------------------

_TERN_FILE = re.compile(r"(?P<number>\d+)_(?P<name>.+)\.sql\Z")
_BELOW = "---- create above / drop below ----"
_WITHOUT_TRANSACTION = re.compile(r"^---- tern: disable-tx ----$", re.MULTILINE)
# An action, with the blanks that its dashes take; or the rest of a text in which one has no end.
_ACTION = re.compile(
    r"(?:(?:(?<!\s)\s++)?\{\{-(?=\s)|\{\{)"
    r"(?P<what>(?:\"(?:[^\"\\]|\\.)*+\"|`[^`]*+`|(?!(?:(?<=\s)-)?\}\})[^\"`])*+)(?:-\}\}\s*+|\}\})"
    r"|\{\{.*\Z",
    re.DOTALL,
)
_INCLUDE = re.compile(r"template\s+[\"`](?P<name>[^\"`]+)[\"`]\s+[.$]\Z")
_FIELD = re.compile(r"\$?\.(?P<name>[A-Za-z_]\w*)\Z")
_QUOTE = re.compile(r"\"(?P<one>[^\"\\]*)\"\Z|`(?P<other>[^`]*)`\Z")
_TERN_VALUE = re.compile(rb"\{\{\.(?P<name>\w+)\}\}")


def read_tern(folder: Folder, wishes: Wishes) -> Source:
    """tern: numbered files without gaps; each a template, with what undoes it below a line.

    Source: https://github.com/jackc/tern (migrate/migrate.go, main.go for tern.conf).
    """
    templates = {name: folder.text(name).decode() for name in folder.files if "/" in name and name.endswith(".sql")}
    found = sorted((int(m["number"]), name) for name in folder.top if (m := _TERN_FILE.match(name)))
    steps = [_of_tern(folder, number, name, templates) for number, name in found]
    _refuse_gap(steps, "tern")
    conf = next((name for name in ("tern.conf", "../tern.conf") if folder.has(name)), "")
    values = _tern_data(folder.text(conf).decode()) if conf else {}
    left_out = [Note(folder.where(n), "is a template, which stands where migrations name it") for n in templates]
    if conf:
        what = "is tern's configuration"
        if values:
            what += f"; of its [data], {', '.join(sorted(values))} {_IS_PUT_IN}"
        left_out.append(Note(folder.where(conf), what))
    source = source_of(folder, "tern", steps, left_out, why="no migration of tern, which wants NUMBER_NAME.sql")
    return replace(source, placeholder=_TERN_VALUE, values=values)


_IS_PUT_IN = "stand as values in the files that name them: look that none is a secret"


def _refuse_gap(steps: Sequence[Step], tool: str) -> None:
    """Raise `BadMigrationFile` where numbers, which are in order, are not 1, 2, 3 and so on."""
    refuse_doubled(steps, tool)
    for expected, step in enumerate(steps, 1):
        number = int(step.version)
        if number != expected:
            missing = f"{expected} is missing" if number > expected else f"{number} is no number of a migration"
            raise BadMigrationFile(
                f"{tool} numbers from 1 without gaps, and {missing}: {step.path}",
                hint=f"bring the file back, or number the others as {tool} wants it",
            )


def _of_tern(folder: Folder, number: int, name: str, templates: Mapping[str, str]) -> Step:
    path = folder.where(name)
    match = _TERN_FILE.match(name)
    assert match is not None
    above, mark, below = folder.text(name).decode().partition(_BELOW)
    notes: list[Note] = []
    forward = _filled(path, above, 1, templates, notes)
    if not notes and not any(line.strip() and not line.strip().startswith("--") for line in above.split("\n")):
        raise BadMigrationFile(
            f"{path} holds no SQL in its forward part, and tern runs no migration of such a folder",
            hint="write what it is to do, or move it out of the folder",
        )
    undo = None
    if mark and below.strip():
        more: list[Note] = []
        undo = _filled(path, below, above.count("\n") + 1, templates, more)
        notes += more
    return Step(str(number), match["number"], match["name"], path, forward, undo, tuple(notes))


def _filled(path: str, text: str, line: int, templates: Mapping[str, str], notes: list[Note]) -> Section:
    """A part of a file with its templates filled in, but for values, and a note for what cannot be."""
    for what, at in _unfit(text, templates, ()):
        how = "write what it makes of it in its place"
        notes.append(Note(path, f"{{{{ {what} }}}} is of Go's templates", how, line + at, is_open=True))
    made = _with_templates(text, templates, ())
    is_wrapped = _WITHOUT_TRANSACTION.search(made.strip()) is None
    made = _WITHOUT_TRANSACTION.sub("", made)
    return Section(path, made.encode(), line, is_wrapped=is_wrapped, cut=None if is_wrapped else cut_at())


def _unfit(text: str, templates: Mapping[str, str], inside: tuple[str, ...]) -> Iterator[tuple[str, int]]:
    """What of a template only Go can fill in, and how many lines before it."""
    at = counted_to = 0
    for action in _ACTION.finditer(text):
        what = " ".join((action["what"] or action[0]).split())
        include = _INCLUDE.match(what)
        at, counted_to = at + text.count("\n", counted_to, action.start()), action.start()
        if include is not None and include["name"] in templates and include["name"] not in inside:
            if any(_unfit(templates[include["name"]], templates, (*inside, include["name"]))):
                yield what, at
        elif not (_FIELD.match(what) or _QUOTE.match(what) or what.startswith("/*")):
            yield what, at


def _with_templates(text: str, templates: Mapping[str, str], inside: tuple[str, ...]) -> str:
    def made(action: re.Match[str]) -> str:
        what = " ".join((action["what"] or action[0]).split())
        if (include := _INCLUDE.match(what)) and include["name"] in templates and include["name"] not in inside:
            return _with_templates(templates[include["name"]], templates, (*inside, include["name"]))
        if field := _FIELD.match(what):
            return f"{{{{.{field['name']}}}}}"
        if quote := _QUOTE.match((action["what"] or "").strip()):
            return quote["one"] or quote["other"] or ""
        return "" if what.startswith("/*") else action[0]

    return _ACTION.sub(made, text)


def _tern_data(conf: str) -> dict[str, str]:
    """The values of its section ``[data]``, but for those that are templates themselves."""
    _, *parts = re.split(r"^[ \t]*\[(.*)\][ \t]*$", conf, flags=re.MULTILINE)
    data = "".join(text for name, text in zip(parts[::2], parts[1::2], strict=True) if name.strip() == "data")
    return {name: value for name, value in read_properties(data).items() if "{{" not in value}


# --- postgres-migrations ----------------------------------------------------------------------

_NUMBERED_FILE = re.compile(r"(?P<number>-?\d+)[-_]?(?P<name>.*)\.(?P<ending>sql|js)\Z", re.IGNORECASE)
_ALONE = b"-- postgres-migrations disable-transaction"
_ALONE_LINE = re.compile(rb"^" + _ALONE + rb"[ \t]*$", re.MULTILINE)


def read_postgres_migrations(folder: Folder, wishes: Wishes) -> Source:
    """postgres-migrations: files numbered from 1 without gaps, each one message, in a transaction unless it says so.

    Source: https://github.com/ThomWright/postgres-migrations (src/files-loader.ts, file-name-parser.ts,
    run-migration.ts, validation.ts).
    """
    steps: list[Step] = []
    for name in (n for n in folder.top if re.search(r"\.(sql|js)\Z", n, re.IGNORECASE)):
        match = _NUMBERED_FILE.match(name)
        if match is None:
            raise BadMigrationFile(
                f"{folder.where(name)} begins with no number, and postgres-migrations runs nothing of such a folder",
                hint="move it out of the folder, or give it a number",
            )
        steps.append(_of_postgres_migrations(folder, name, match))
    steps.sort(key=lambda step: int(step.version))
    _refuse_gap(steps, "postgres-migrations")
    return source_of(folder, "postgres-migrations", steps, keeps_session=True)


def _of_postgres_migrations(folder: Folder, name: str, match: re.Match[str]) -> Step:
    path, number = folder.where(name), int(match["number"])
    if match["ending"].lower() == "js":
        made = _program(path, match["number"], "postgres-migrations")
        return Step(str(number), match["number"], match["name"], path, None, notes=made.notes)
    text = folder.text(name)
    section = Section(path, _ALONE_LINE.sub(b"", text), is_wrapped=_ALONE not in text)
    return Step(str(number), match["number"], match["name"], path, section)


# --- Marv -------------------------------------------------------------------------------------

_MARV_FILE = re.compile(r"(?P<number>\d+)[^\d](?P<name>.*?)\.", re.DOTALL)
_MARV_SAYS = re.compile(rb"^--\s*@MARV\s+(?P<name>\w+)\s*=\s*(?P<value>.+)$\n?", re.IGNORECASE | re.MULTILINE)


def read_marv(folder: Folder, wishes: Wishes) -> Source:
    """Marv: numbered files, each one message without a transaction around it; gaps are allowed.

    Source: https://github.com/guidesmiths/marv (lib/scan.js) and marv-pg-driver.
    """
    config = _marvrc(folder)
    fits = re.compile(str(config.get("filter") or ""))
    found: dict[int, str] = {}
    steps: list[Step] = []
    skipped: list[Note] = []
    for name in folder.top:
        match = _MARV_FILE.match(name)
        if match is None or not fits.search(name):
            continue
        number, path, text = int(match["number"]), folder.where(name), folder.text(name)
        if number in found:
            raise BadMigrationFile(
                f"two migrations have the version {number}: {folder.where(found[number])} and {path}",
                hint="Marv runs one of them at most: give one another version, or move it out of the folder",
            )
        found[number] = name
        given = config.get("directives")
        said = {str(k).lower(): str(v).lower() for k, v in (given if isinstance(given, dict) else {}).items()}
        said |= {m["name"].decode().lower(): m["value"].decode().strip().lower() for m in _MARV_SAYS.finditer(text)}
        if said.get("skip") == "true":
            skipped.append(Note(path, "says SKIP = true: Marv runs it nowhere"))
            continue
        is_recorded = said.get("audit") != "false"
        what = "says AUDIT = false: Marv runs it again each time, and here it runs once"
        notes = () if is_recorded else (Note(path, what, "make a migration of each change to it"),)
        section = Section(path, _MARV_SAYS.sub(b"", text), is_wrapped=False)
        version = str(number) if is_recorded else ""
        steps.append(Step(version, match["number"], match["name"], path, section, None, notes))
    steps.sort(key=lambda step: int(step.number))
    return source_of(folder, "Marv", steps, skipped)


def _marvrc(folder: Folder) -> dict[str, object]:
    if not folder.has(".marvrc"):
        return {}
    try:
        found: object = json.loads(folder.text(".marvrc"))
    except ValueError as error:
        raise BadMigrationFile(f"cannot read {folder.where('.marvrc')}: {error}") from None
    return found if isinstance(found, dict) else {}


TOOLS: Sequence[Tool] = (
    Tool(
        "node-pg-migrate",
        read_node_pg_migrate,
        "node-pg-migrate",
        shows=lambda folder: _asks_for("node-pg-migrate", folder),
        is_flat=True,
    ),
    Tool(
        "tern",
        read_tern,
        "tern",
        shows=lambda folder: "../tern.conf" if folder.has("../tern.conf") else "",
        is_flat=True,
    ),
    Tool(
        "postgres-migrations",
        read_postgres_migrations,
        "postgres-migrations",
        shows=lambda folder: _asks_for("postgres-migrations", folder),
        is_flat=True,
    ),
    Tool("marv", read_marv, "Marv", is_flat=True),
)

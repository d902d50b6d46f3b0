"""graphile-migrate: what is committed, in a chain of hashes, with its placeholders and the settings of its session."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.listing import AFTER_ALL, BEFORE_ALL, HOOKS
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    holds_sql,
    joined,
    left_out_of,
    refuse_doubled,
)
from wflo_schema.words import counted, listed

_COMMITTED = re.compile(r"(?P<number>[0-9]+)(?:-(?P<words>[-_a-zA-Z0-9]*))?\.sql\Z")
_HEADER = re.compile(r"--! (?P<name>[A-Z][a-zA-Z0-9_]*)(?::(?P<value>.*))?\Z")
_NO_TRANSACTION = re.compile(r"\A--!\s*no-transaction\b[^\n]*")

# Where no configuration says which there are: not the second colon of a cast, and no part of a time.
_LIKELY = rb"(?<![:\w]):(?P<name>[A-Z][0-9A-Z_]+)\b"


@dataclass(frozen=True, slots=True)
class _Config:
    """What .gmrc says: values by placeholder (None: an environment variable), settings, and hooks."""

    name: str = ""
    values: Mapping[str, str | None] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    hooks: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def read_graphile_migrate(folder: Folder, wishes: Wishes) -> Source:
    """graphile-migrate: the files of ``committed``, each with the hash of the one before it; a run is one session.

    What its hook afterReset runs comes first, as it does in each database that the tool makes.

    Source: https://github.com/graphile/migrate (src/migration.ts, header.ts, hash.ts, settings.ts, actions.ts).
    """
    base, names = _place(folder)
    config = _config(folder, base)
    steps: list[Step] = []
    used: set[str] = set()
    for place, name in enumerate(_run_first(folder, base, config), 1):
        used.add(name)
        steps.append(_hook(folder, name, f"000000.{place}", config))
    before = ""
    for name in sorted(names, key=lambda n: n.rpartition("/")[2].partition(".")[0].partition("-")[0]):
        used.add(name)
        step, before = _committed(folder, name, before, config)
        steps.append(step)
    refuse_doubled(steps, "graphile-migrate")
    for hook, ours in _HOOK_OF.items():
        files = _sql_of(folder, base, config, hook)
        used |= set(files)
        steps += [_as_hook(folder, files, ours, config)] if files else []
    left_out = [*_uncommitted(folder, base), *_hooks(folder, base, config)]
    left_out += left_out_of(folder, folder.without(used | _named(folder, base, config)), "no committed migration")
    return Source(
        "graphile-migrate",
        folder.path,
        "",
        tuple(steps),
        ("graphile-migrate",),
        tuple(left_out),
        keeps_session=True,
        placeholder=_placeholder(config, wishes),
        values={name: value for name, value in config.values.items() if value is not None},
    )


def _place(folder: Folder) -> tuple[str, list[str]]:
    """The path, from the folder, of what holds ``committed``, and the migrations in there."""
    for inner, base in (("committed", ""), ("migrations/committed", "migrations/"), ("", "../")):
        if not inner and folder.where("x").replace("\\", "/").split("/")[-2:-1] != ["committed"]:
            continue
        names = [n for n in folder.inside(inner) if _COMMITTED.match(n.rpartition("/")[2])]
        if names:
            return base, names
    return "", []


# --- one file ---------------------------------------------------------------------------------


def _committed(folder: Folder, name: str, before: str, config: _Config) -> tuple[Step, str]:
    """The migration, and its hash."""
    path, base = folder.where(name), name.rpartition("/")[2]
    match = _COMMITTED.match(base)
    assert match is not None
    lines = folder.text(name).decode().split("\n")
    headers: dict[str, str] = {}
    for line in lines:
        header = _HEADER.match(line)
        if header is None:
            break
        headers[header["name"]] = (header["value"] or "").strip()
    for wanted in ("Previous", "Hash"):
        if not headers.get(wanted):
            raise BadMigrationFile(
                f"{path} has no --! {wanted}: above its SQL, as each committed migration of graphile-migrate has",
                hint="bring it back as it was committed, or move it out of the folder",
            )
    previous = headers["Previous"].removeprefix("-") if headers["Previous"] == "-" else headers["Previous"]
    if previous != before:
        raise BadMigrationFile(
            f"{path} follows {previous or 'nothing'}, and before it stands {before or 'nothing'}",
            hint="a migration between the two is missing, or one was edited: bring the folder back as it was committed",
        )
    below = "\n".join(lines[len(headers) :])
    body = below.strip() + "\n"
    first = len(headers) + 1 + below[: len(below) - len(below.lstrip())].count("\n") - len(config.settings)
    notes = []
    made = (
        "sha1:"
        + hashlib.sha1(f"{previous}\n{body.strip()}".strip().encode() + b"\n", usedforsecurity=False).hexdigest()
    )
    if made != headers["Hash"] and "AllowInvalidHash" not in headers:
        what = "its text is not the one that its Hash was made of"
        notes.append(Note(path, what, "was it edited after it was committed? databases may hold the older one"))
    is_wrapped = _NO_TRANSACTION.match(body) is None
    body = _NO_TRANSACTION.sub("", body)
    text = _settings(config, is_wrapped=is_wrapped) + body
    words = match["words"] or headers.get("Message", "")
    cut = None if is_wrapped or not config.settings else _settings_first(len(config.settings))
    section = Section(path, text.encode(), first, is_wrapped=is_wrapped, cut=cut)
    version = f"{match['number']}.sql"
    return Step(version, match["number"], words, path, section, None, tuple(notes)), headers["Hash"]


def _settings(config: _Config, *, is_wrapped: bool) -> str:
    """What the tool sets for its session before anything else, in each file: here none knows of those before it."""
    is_local = "TRUE" if is_wrapped else "'f'"  # each file sets it, so nothing need be said of those behind it
    return "".join(
        f"SELECT pg_catalog.set_config('{name}', '{_quoted(value)}', {is_local});\n"
        for name, value in config.settings.items()
    )


def _settings_first(count: int) -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts a text behind its settings, each a line: what cannot run in a transaction goes alone."""

    def cut(text: bytes) -> tuple[bytes, ...]:
        return tuple(text.split(b"\n", count))

    return cut


def _quoted(value: str) -> str:
    return value.replace("'", "''")


def _placeholder(config: _Config, wishes: Wishes) -> re.Pattern[bytes]:
    if not config.name:
        return re.compile(_LIKELY)
    names = {"DATABASE_NAME", "DATABASE_OWNER", *config.values, *(n for n in wishes.values if n.isupper())}
    return re.compile(rb":(?P<name>" + "|".join(sorted(map(re.escape, names), reverse=True)).encode() + rb")\b")


# --- what stands beside -----------------------------------------------------------------------


def _hook(folder: Folder, name: str, number: str, config: _Config) -> Step:
    path = folder.where(name)
    what = "is what graphile-migrate runs after each reset, so it is the first migration here"
    words = re.sub(r"\.sql\Z", "", name.rpartition("/")[2])
    note = Note(path, what, "if a new database does not need it, remove it")
    text = _settings(config, is_wrapped=False).encode() + folder.text(name)
    section = Section(path, text, is_wrapped=False)
    return Step("", number, words, path, section, notes=(note,))


# Hooks that run where one of ours does: where there is something to apply, each file a transaction of its own.
_HOOK_OF = {"afterAllMigrations": AFTER_ALL, "beforeAllMigrations": BEFORE_ALL}


def _sql_of(folder: Folder, base: str, config: _Config, hook: str) -> list[str]:
    """The files of a hook that hold SQL, and that no superuser runs."""
    names = [base + action for action in config.hooks.get(hook, ()) if action.endswith(".sql")]
    return [name for name in names if folder.has(name) and holds_sql(folder.text(name))]


def _as_hook(folder: Folder, files: Sequence[str], name: str, config: _Config) -> Step:
    paths = tuple(map(folder.where, files))
    what = f"{listed(paths)} are one file here, and one transaction"
    notes = (Note(paths[0], what),) if len(paths) > 1 else ()
    one = joined([folder.section(file) for file in files])
    head = _settings(config, is_wrapped=True).encode()
    more = head.count(b"\n")
    places = tuple((line + more, path, there) for line, path, there in one.places)
    section = replace(one, text=head + one.text, line=one.line - more, places=places)
    return Step("", "", name, paths[0], section, notes=notes, files=paths, home=HOOKS)


def _run_first(folder: Folder, base: str, config: _Config) -> Iterator[str]:
    for action in config.hooks.get("afterReset", ()):
        name = base + action.removeprefix("!")
        if action.endswith(".sql") and folder.has(name):
            yield name


def _hooks(folder: Folder, base: str, config: _Config) -> Iterator[Note]:
    """A note for each thing that the tool runs beside migrations, and that is not among them here."""
    first = set(_run_first(folder, base, config))
    first |= {name for hook in _HOOK_OF for name in _sql_of(folder, base, config, hook)}
    for hook, actions in config.hooks.items():
        for action in actions:
            if base + action.removeprefix("!") not in first:
                what = f"its {hook} runs {action}"
                path = os.path.normpath(folder.where(base + config.name))
                yield Note(path, what, "no migration: run it yourself where it is needed")


def _named(folder: Folder, base: str, config: _Config) -> set[str]:
    """What a note of its own tells of: hooks, fixtures and what is not committed."""
    named = {base + action.removeprefix("!") for actions in config.hooks.values() for action in actions}
    return named | {
        n for n in folder.files if n.startswith((f"{base}current/", f"{base}fixtures/", f"{base}current.sql"))
    }


def _uncommitted(folder: Folder, base: str) -> Iterator[Note]:
    for name in folder.files:
        if name == f"{base}current.sql" or (name.startswith(f"{base}current/") and name.endswith(".sql")):
            if holds_sql(re.sub(rb"^--!\s*include\s.*$", b"SELECT", folder.text(name), flags=re.MULTILINE)):
                what = "is not committed, so no database of others holds it"
                how = "commit it first with graphile-migrate commit, or write it with wflo-schema new afterwards"
                yield Note(folder.where(name), what, how)
            else:
                yield Note(folder.where(name), "holds nothing yet")
    fixtures = [n for n in folder.files if n.startswith(f"{base}fixtures/")]
    if fixtures:
        what = f"{counted(len(fixtures), 'file')} that migrations include; the committed ones hold their text"
        yield Note(folder.where(f"{base}fixtures"), what, "a change to one is a migration of its own")


# --- .gmrc ------------------------------------------------------------------------------------

_JUMP = re.compile(r"(?P<string>\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*')|//[^\n]*|/\*[\s\S]*?\*/")
_STRING = r"(?:\"((?:[^\"\\]|\\.)*)\"|'((?:[^'\\]|\\.)*)')"
_PAIR = re.compile(rf"(?:{_STRING}|([\w$]+))\s*:\s*(?:{_STRING}|[^,{{}}\s]+)")
_ACTION = re.compile(rf"(?P<comma>\{{[^{{}}]*\}})|{_STRING}")
_HOOKS = ("beforeReset", "afterReset", "beforeAllMigrations", "afterAllMigrations", "beforeCurrent", "afterCurrent")


def _config(folder: Folder, base: str) -> _Config:
    """What .gmrc says, beside the folder or in it: JSON5, or a program that holds an object like it."""
    name = next(
        (
            where + one
            for where in ("", "../")
            for one in (".gmrc", ".gmrc.js", ".gmrc.cjs")
            if folder.has(base + where + one)
        ),
        "",
    )
    if not name:
        return _Config()
    text = _JUMP.sub(lambda m: m["string"] or " ", folder.text(base + name).decode())
    hooks = {hook: tuple(_actions(_inner(text, hook))) for hook in _HOOKS}
    values = {n.removeprefix(":"): None if v == "!ENV" else v for n, v in _pairs(_inner(text, "placeholders")).items()}
    settings = {n: v for n, v in _pairs(_inner(text, "pgSettings")).items() if v is not None}
    return _Config(name, values, settings, {hook: actions for hook, actions in hooks.items() if actions})


def _inner(text: str, name: str) -> str:
    """What stands behind that key: an object, a list or a string."""
    found = re.search(rf"[\"']?\b{name}\b[\"']?\s*:\s*", text)
    if found is None:
        return ""
    depth = 0
    for mark in re.compile(rf"{_STRING}|[\[\]{{}},]").finditer(text, found.end()):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(mark[0], 0)
        if depth < 0 or (depth == 0 and mark[0] != ","):
            return text[found.end() : mark.end()]
    return ""


def _pairs(text: str) -> dict[str, str | None]:
    """Names and values; None for a value that is no string."""
    found: dict[str, str | None] = {}
    for m in _PAIR.finditer(text):
        found[m[1] or m[2] or m[3]] = m[4] if m[4] is not None else m[5]
    return found


def _actions(text: str) -> Iterator[str]:
    """What a hook runs: files, a ``!`` before those that a superuser runs, and commands."""
    for m in _ACTION.finditer(text):
        if m["comma"]:
            pairs = _pairs(m["comma"])
            said = pairs.get("file") or pairs.get("command")
            if said:
                yield said
        else:
            yield m[2] or m[3] or ""


TOOLS: tuple[Tool, ...] = (Tool("graphile-migrate", read_graphile_migrate, "graphile-migrate"),)

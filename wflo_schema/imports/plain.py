"""Files of SQL without a tool: a bare folder in an order that is named, a dump, a structure file; and refinery's.

Hides how an order is named, and which file of a bare folder takes back what another does.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.folder import read_source
from wflo_schema.files.layouts import forward_name, refuse_sections, undone_by
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    is_sql,
    left_out_of,
    natural,
    no_sql,
    source_of,
)
from wflo_schema.words import counted, listed

_ORDERS = "--order name, --order number, or --order FILE, which lists the files one a line"


def read_plain(folder: Folder, wishes: Wishes) -> Source:
    """Files of no tool, in the order that is named; each as ``psql -f`` runs it, statement by statement."""
    found = _read(folder, wishes)
    return replace(found, steps=tuple(_with_taken(step) for step in found.steps))


def _with_taken(step: Step) -> Step:
    """The step, with a note of the file that is taken for what takes it back."""
    what = f"is taken for what takes back {os.path.basename(step.path)}"
    return replace(step, notes=(*(Note(path, what) for path in step.files[1:]), *step.notes))


def _read(folder: Folder, wishes: Wishes) -> Source:
    programs = {} if wishes.order not in ("", "name", "number") else _programs(folder)
    names = [name for name in folder.files if is_sql(name) or name in programs]
    undone = {} if folder.is_file else _undone(names, programs)
    forward = [name for name in names if name not in undone]
    backward = {other: name for name, other in undone.items() if other}
    in_order, reason = _in_order(folder, forward, undone, wishes)
    steps = [_plain_step(folder, name, backward.get(name), programs) for name in in_order]
    alone = [name for name, other in undone.items() if not other]
    listing = [name for name in folder.files if wishes.order and _is_same(folder.where(name), wishes.order)]
    others = folder.without({*names, *listing})
    left_out = (
        *left_out_of(folder, alone, "takes back what no file makes"),
        *left_out_of(folder, listing, "lists the order"),
        *left_out_of(folder, others, "no SQL"),
    )
    return Source("plain", folder.path, reason, tuple(steps), left_out=left_out)


# What is run between files of SQL: a program, or SQL that is packed or a template.
_PROGRAM = re.compile(
    r"(?P<stem>(?:.*/)?[a-z]?\d[^/]*?)(?<!_test)(?:\.sql)?"
    r"\.(?:cs|exs?|go|java|[cm]?[jt]s|kts?|php|p[ly]|rb|rs|(?:ba)?sh|bz2|erb|gz|j2|jinja2?|mustache|te?mpl|tpl|xz|zst)",
    re.IGNORECASE,
)


def _programs(folder: Folder) -> dict[str, str]:
    """Files with a number, like those of SQL, that are no SQL, and the name that each would have if it were."""
    there = {*folder.files}
    found = {name: f"{m['stem']}.sql" for name in folder.files if (m := _PROGRAM.fullmatch(name))}
    return {name: as_sql for name, as_sql in found.items() if as_sql not in there}


def _undone(names: Sequence[str], programs: Mapping[str, str]) -> dict[str, str]:
    real = {programs.get(name, name): name for name in names}
    return {real[undo]: real.get(other, "") for undo, other in undone_by([*real]).items()}


# 001_users, 2024-01-05 users
_NUMBERED = re.compile(r"(?P<number>\d{4}-\d\d-\d\d(?:-\d+)*|\d+)[-_. ]*(?P<words>.*)", re.DOTALL)


def _is_same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _plain_step(folder: Folder, name: str, undo: str | None, programs: Mapping[str, str]) -> Step:
    as_sql = programs.get(name, name)
    stem = forward_name(as_sql, programs.get(undo, undo)) if undo else re.sub(r"\.\w+\Z", "", as_sql)
    found = _NUMBERED.match(stem)
    number, words = (found["number"].replace("-", ""), found["words"]) if found else ("", stem)
    path = folder.where(name)
    notes: list[Note] = []
    section, back = (_section(folder, each, notes) for each in (name, undo))
    return Step(
        "",
        number,
        words.replace("/", "_"),
        path,
        section,
        back,
        notes=tuple(notes),
        files=(path, folder.where(undo)) if undo else (path,),
    )


def _section(folder: Folder, name: str | None, notes: list[Note]) -> Section | None:
    """All of a file; None for one that is no SQL, with a note."""
    if name is None:
        return None
    if not is_sql(name):
        notes.append(no_sql(folder.where(name)))
        return None
    _refuse_marks(folder, name)
    section = folder.section(name, is_wrapped=False, is_psql=True)
    notes += _roles(section)
    return section


def _refuse_marks(folder: Folder, name: str) -> None:
    """Raise `BadMigrationFile` where comments divide the file, so that psql would run what undoes it, too."""
    try:
        refuse_sections(folder.where(name), folder.text(name))
    except BadMigrationFile as error:
        raise BadMigrationFile(
            error.message,
            hint="name that tool with --from; or, if this is no mark, give the comment other words",
            location=error.location,
        ) from None


# --- the order --------------------------------------------------------------------------------


def _in_order(folder: Folder, names: Sequence[str], undone: Iterable[str], wishes: Wishes) -> tuple[Sequence[str], str]:
    by_name = sorted(names, key=lambda name: name.split("/"))
    by_number = sorted(names, key=_number_key)
    if wishes.order == "name":
        return by_name, "in the order of their names"
    if wishes.order == "number":
        _refuse_unnumbered(folder, by_number)
        return by_number, "in the order of their numbers"
    if wishes.order:
        return _listed_order(folder, names, undone, wishes.order), f"in the order of {wishes.order}"
    if len(names) < 2:
        return by_name, _shows_plain(folder) or "as one file of SQL"
    first = next(((a, b) for a, b in zip(by_name, by_number, strict=True) if a != b), None)
    if first is not None:
        raise BadMigrationFile(
            f"in {folder.path}, {first[0]} comes next by its name, and {first[1]} by its number", hint=_ORDERS
        )
    if any(not _has_number(name) for name in names):
        missing = next(name for name in by_name if not _has_number(name))
        raise BadMigrationFile(f"in {folder.path}, {missing} has no number that says its place", hint=_ORDERS)
    _refuse_unnumbered(folder, by_number)
    return by_name, "in the order of their names, which is that of their numbers"


def _number_key(name: str) -> list[list[str | int]]:
    return [[int(p) if p.isdecimal() else p for p in re.split(r"(\d+)", part)] for part in name.split("/")]


def _has_number(name: str) -> bool:
    return re.search(r"\d", name.rpartition(".")[0]) is not None


def _numbers(name: str) -> tuple[str, tuple[int, ...]]:
    """What stands before the first number of each part of a path, and the numbers that follow it there."""
    *above, base = name.split("/")
    found = re.match(r"(?P<before>\D*)(?P<number>\d+(?:[-_.]\d+)*)", base.rpartition(".")[0])
    return ("/".join([*above, found["before"]]), natural(found["number"])) if found else (name, ())


def _refuse_unnumbered(folder: Folder, in_order: Sequence[str]) -> None:
    """Raise `BadMigrationFile` where a file has no number, or two have the same."""
    without = [name for name in in_order if not _has_number(name)]
    if without:
        raise BadMigrationFile(
            f"in {folder.path}, {listed(without)} has no number", hint="--order name or --order FILE"
        )
    for one, other in zip(in_order, in_order[1:], strict=False):
        if _numbers(one) == _numbers(other):
            raise BadMigrationFile(
                f"in {folder.path}, {one} and {other} have the same number",
                hint="--order name or --order FILE says which comes first",
            )


def _listed_order(folder: Folder, names: Sequence[str], undone: Iterable[str], path: str) -> list[str]:
    """The order that a file lists: a relative path a line; # and -- begin a comment.

    Raise `BadMigrationFile` where it names what is not there, names one twice or leaves one out.
    """
    undo = frozenset(undone)
    present = frozenset(names)
    lines: dict[str, int] = {}
    for number, line in enumerate(read_source(path)[0].decode().split("\n"), 1):
        said = re.sub(r"(?:^|\s)(?:#|--).*", "", line).strip()
        name = said.replace("\\", "/").removeprefix("./")
        if not name:
            continue
        if name in undo:
            raise BadMigrationFile(
                f"{path}:{number} names {said}, which takes back what another file does",
                hint="leave it out of the list: it becomes a rollback file; or rename it, if it does not",
            )
        if name not in present:
            near = [n for n in names if n.rpartition("/")[2].lower() == name.rpartition("/")[2].lower()]
            hint = f"is it {near[0]}?" if near else f"paths are those in {folder.path}, such as {listed(names, 2)}"
            raise BadMigrationFile(f"{path}:{number} names {said}, which is not in {folder.path}", hint=hint)
        if name in lines:
            raise BadMigrationFile(
                f"{path}:{number} names {said} again, as line {lines[name]} does", hint="a file runs once: remove one"
            )
        lines[name] = number
    rest = [name for name in names if name not in lines]
    if rest:
        raise BadMigrationFile(
            f"{path} leaves out {counted(len(rest), 'file')} of {folder.path}: {listed(rest)}",
            hint="add them where they belong, or move them out of the folder",
        )
    return list(lines)


# --- dumps ------------------------------------------------------------------------------------

_OWNER = re.compile(rb'^ALTER\s[^;\n]*\sOWNER\s+TO\s+(?P<role>"[^"]+"|\w+)\s*;', re.IGNORECASE | re.MULTILINE)
_GRANT = re.compile(
    rb'^(?:GRANT|REVOKE)\s[^;\n]*\s(?:TO|FROM)\s+(?P<role>"[^"]+"|\w+)\s*;', re.IGNORECASE | re.MULTILINE
)
_DUMP = re.compile(rb"\A[\s-]*PostgreSQL database dump")


def _roles(section: Section) -> list[Note]:
    """The roles that a dump names."""
    if not _DUMP.match(section.text):
        return []
    found = dict.fromkeys(m["role"].decode().strip('"') for p in (_OWNER, _GRANT) for m in p.finditer(section.text))
    for everywhere in ("PUBLIC", "postgres", "CURRENT_USER"):
        found.pop(everywhere, None)
    if not found:
        return []
    how = "make them there; or dump again with --no-owner --no-privileges"
    return [
        Note(
            section.path,
            f"names {counted(len(found), 'role')} that must be there where it is run: {listed(found)}",
            how,
        )
    ]


# INSERT INTO "schema_migrations" (version) VALUES ('20240101000000'), …;
_VERSIONS = re.compile(
    rb'^INSERT\s+INTO\s+(?:"?\w+"?\.)?"?schema_migrations"?\s*\("?version"?\)\s*VALUES\s*(?P<rows>[^;]*);',
    re.IGNORECASE | re.MULTILINE,
)
# What shows whose ledger it lists; Rails' where nothing does.
_MARKS = {
    "dbmate": re.compile(rb"-- Dbmate schema migrations"),
    "ecto": re.compile(rb'CREATE TABLE \S*schema_migrations"?\s*\([^;]*\binserted_at\b'),
}
_STRUCTURE = re.compile(r"(?:.*/)?(?:.*_)?structure\.sql", re.IGNORECASE)


def read_structure(folder: Folder, wishes: Wishes) -> Source:
    """A structure.sql, as Rails, Ecto and dbmate write it for psql: one migration, for all the versions it lists.

    Source: https://github.com/rails/rails (activerecord/lib/active_record/tasks/postgresql_database_tasks.rb),
    https://github.com/elixir-ecto/ecto_sql (lib/ecto/adapters/postgres.ex), https://github.com/amacneil/dbmate
    (pkg/driver/postgres/postgres.go).
    """
    found = list(folder.files) if folder.is_file else _structures(folder)
    if len(found) != 1:
        raise BadMigrationFile(
            f"{folder.path} holds {counted(len(found), 'structure file')}{': ' * bool(found)}{listed(found)}",
            hint="name one of them: each is for a database of its own"
            if found
            else "let Rails write it: config.active_record.schema_format = :sql, then bin/rails db:schema:dump",
        )
    name = found[0]
    text, path = folder.text(name), folder.where(name)
    rows = b" ".join(m["rows"] for m in _VERSIONS.finditer(text))
    versions = sorted({v.decode() for v in re.findall(rb"\(\s*'?(\w+)'?\s*\)", rows)}, key=lambda v: (natural(v), v))
    section = folder.section(name, is_wrapped=False, is_psql=True)
    last = versions[-1] if versions else ""
    step = Step(
        last,
        last if last.isdecimal() else "",
        re.sub(r"\.\w+\Z", "", name.rpartition("/")[2]),
        path,
        section,
        notes=tuple(_roles(section)),
        also=tuple(versions[:-1]),
    )
    tool = next((tool for tool, mark in _MARKS.items() if mark.search(text)), "rails")
    why = f"no part of {name}, which is all of the schema"
    return source_of(folder, "structure.sql", (step,), why=why, ledgers=(tool,))


def _structures(folder: Folder) -> list[str]:
    return [n for n in folder.files if _STRUCTURE.fullmatch(n) and _VERSIONS.search(folder.text(n))]


def _shows_structure(folder: Folder) -> str:
    if folder.is_file:
        name = folder.files[0]
        return (
            "it lists the versions of schema_migrations" if is_sql(name) and _VERSIONS.search(folder.text(name)) else ""
        )
    found = _structures(folder)
    return f"{folder.where(found[0])} lists the versions of schema_migrations" if found else ""


def _shows_plain(folder: Folder) -> str:
    if not folder.is_file or not is_sql(folder.files[0]):
        return ""
    return "as a dump" if _DUMP.match(folder.text(folder.files[0])) else "as a file of SQL"


# --- refinery ---------------------------------------------------------------------------------

_REFINERY = re.compile(r"(?P<prefix>[UV])(?P<number>\d+)__(?P<words>\w+)\.(?P<kind>sql|rs)\Z")


def read_refinery(folder: Folder, wishes: Wishes) -> Source:
    """refinery: V1__words.sql in the order of their versions, each one message in a transaction.

    Those with U before the version are such as others, but may come late.  In Flyway they would undo.

    Source: https://github.com/rust-db/refinery (refinery_core/src/util.rs, runner.rs, drivers/postgres.rs).
    """
    steps: list[Step] = []
    for name in folder.files:
        found = _REFINERY.fullmatch(name.rpartition("/")[2])
        path = folder.where(name)
        if found is None:
            continue
        is_code = found["kind"] == "rs"
        section, notes = (None, (no_sql(path),)) if is_code else (folder.section(name), ())
        steps.append(Step(str(int(found["number"])), found["number"], found["words"], path, section, notes=notes))
    steps.sort(key=lambda step: natural(step.version))
    return source_of(folder, "refinery", steps, keeps_session=True)


def _shows_refinery(folder: Folder) -> str:
    for name in ("refinery.toml", "../refinery.toml"):
        if folder.has(name):
            return f"{folder.where(name)} is there"
    for name in ("../Cargo.toml", "../../Cargo.toml"):
        if folder.has(name) and re.search(rb"^refinery[\w-]*\s*[.=]", folder.text(name), re.MULTILINE):
            return f"{folder.where(name)} names refinery"
    return ""


def read_pairs(folder: Folder, wishes: Wishes) -> Source:
    """Pairs of no tool, as their names say it; each file as ``psql -f`` runs it."""
    found = _read(folder, wishes)
    if not any(step.undo for step in found.steps):
        raise BadMigrationFile(f"no file in {folder.path} takes back another", hint=f"--from plain, and {_ORDERS}")
    return replace(found, tool="pairs", reason=_shows_pairs(folder) or found.reason)


def _shows_pairs(folder: Folder) -> str:
    """What shows that most of the files are pairs; nothing where that is not so."""
    names = [name for name in folder.files if is_sql(name)]
    undone = undone_by(names)
    pairs = [(forward, undo) for undo, forward in sorted(undone.items()) if forward]
    if not pairs or len(names) - len(undone) > 2 * len(pairs):
        return ""
    forward, undo = pairs[0]
    return f"{forward}, and {undo} takes it back; {counted(len(pairs), 'such pair')}, each file read as psql -f runs it"


PAIRS = Tool("pairs", read_pairs, shows=_shows_pairs)
PLAIN = Tool("plain", read_plain, shows=_shows_plain)

# It is asked before the tools whose migrations are programs.
STRUCTURE = Tool("structure.sql", read_structure, "rails", _shows_structure)

TOOLS: tuple[Tool, ...] = (
    Tool("refinery", read_refinery, "Flyway", shows=_shows_refinery),
    PAIRS,
    PLAIN,
)

"""Tools that have a file for each direction, side by side: golang-migrate, sqlx, pop and those like them."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.splitting import pieces
from wflo_schema.imports.cutting import cut_as
from wflo_schema.imports.source import Folder, Note, Section, Source, Step, Tool, Wishes, no_sql, script_of
from wflo_schema.imports.translate import runs_outside
from wflo_schema.words import counted, listed

# What fits a bigint, in which most of these tools record a version, and an uint64, as which Go's tools read it.
_MOST_BIGINT = 2**63 - 1
_MOST_UINT64 = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Half:
    """One file of a pair.  ``version`` is as the ledger spells it; without a ``section`` the file is no SQL."""

    version: str
    number: str
    words: str
    is_undo: bool
    name: str
    section: Section | None


def joined(
    folder: Folder,
    tool: str,
    halves: Iterable[Half],
    left_out: Iterable[Note],
    *,
    order: Callable[[str], int | str] = int,
    ledgers: tuple[str, ...] = (),
    reason: str = "",
    records_undo_alone: bool = False,
) -> Source:
    """The folder with each version's two files as one step, in the order of their versions.

    With ``records_undo_alone`` the tool takes a version for applied, too, that has only a file that undoes it.  What
    ``ledgers`` are not said is the tool's own.
    """
    both: dict[str, list[Half]] = {}
    for half in halves:
        both.setdefault(half.version, []).append(half)
    steps: list[Step] = []
    left = list(left_out)
    for version, found in both.items():
        up = _only(folder, tool, version, [h for h in found if not h.is_undo])
        down = _only(folder, tool, version, [h for h in found if h.is_undo])
        if up is None and down is not None and not records_undo_alone:
            left.append(Note(folder.where(down.name), "takes back what no file makes", "is its other half missing?"))
            continue
        steps.append(_step(folder, tool, up, down))
    steps.sort(key=lambda step: order(step.version))
    ledgers = ledgers or (tool.lower(),)
    return Source(tool.lower(), folder.path, reason, tuple(steps), ledgers, tuple(left), keeps_session=True)


def _only(folder: Folder, tool: str, version: str, halves: Sequence[Half]) -> Half | None:
    if len(halves) > 1:
        one, other = (folder.where(h.name) for h in halves[:2])
        raise BadMigrationFile(
            f"two files are the version {version}: {one} and {other}",
            hint=f"{tool} runs one of them at most: give one another version, or move it out of the folder",
        )
    return halves[0] if halves else None


def _step(folder: Folder, tool: str, up: Half | None, down: Half | None) -> Step:
    half = up or down
    assert half is not None
    path = folder.where(half.name)
    notes: list[Note] = []
    if up is None:
        what = f"no file makes what it takes back; {tool} only records its version"
        notes.append(Note(path, what, "is its other half missing?"))
    elif up.section is None:
        notes.append(no_sql(path))
    undo = down.section if down is not None else None
    if down is not None and undo is None and (up is None or up.section is not None):
        notes.append(no_sql(folder.where(down.name), is_open=False))
    return Step(
        half.version,
        half.number,
        half.words,
        path,
        up.section if up is not None else Section(path, b""),
        undo,
        notes=tuple(notes),
        files=tuple(folder.where(h.name) for h in (up, down) if h is not None),
    )


def _left(folder: Folder, tool: str, name: str) -> Note:
    where = "lies deeper than its tool looks" if "/" in name else f"is no file of {tool}"
    return Note(folder.where(name), where)


def _refuse_beyond(folder: Folder, name: str, number: str) -> None:
    if int(number) > _MOST_BIGINT:
        raise BadMigrationFile(
            f"{folder.where(name)}: the version {number} does not fit a bigint, in which it would be recorded",
            hint="give it a smaller number",
        )


# --- golang-migrate ---------------------------------------------------------------------------

_GOLANG = re.compile(r"(?P<number>[0-9]+)_(?P<words>.*)\.(?P<direction>down|up)\.(?P<end>.*)\Z")
_MULTI = "x-multi-statement"


def read_golang_migrate(folder: Folder, wishes: Wishes) -> Source:
    """golang-migrate: pairs in the order of their numbers, whatever they end in; each file is one message.

    Two files are a pair by their number alone.  With x-multi-statement, which no file shows, it cuts a text behind
    each ``;``; so it is read where one could not be run otherwise, or where --set asks for it.
    Source: https://github.com/golang-migrate/migrate (source/parse.go, source/migration.go, migrate.go newMigration,
    database/postgres, database/multistmt).
    """
    halves: list[Half] = []
    left_out: list[Note] = []
    for name in folder.files:
        found = _GOLANG.match(name)
        if found is None or "/" in name:
            left_out.append(_left(folder, "golang-migrate", name))
        elif int(found["number"]) > _MOST_UINT64:
            left_out.append(Note(folder.where(name), "its number is too long, so golang-migrate does not see it"))
        else:
            _refuse_beyond(folder, name, found["number"])
            section = folder.section(name, is_wrapped=False)
            version = str(int(found["number"]))
            halves.append(Half(version, found["number"], found["words"], found["direction"] == "down", name, section))
    cut_for = _asked_or_needed(halves, wishes)
    if cut_for:
        halves = [replace(h, section=replace(h.section, cut=_behind_each_semicolon)) for h in halves if h.section]
    reason = next((h.name for h in halves), "")
    if cut_for:
        reason += f"; it runs with {_MULTI}=true, {cut_for}"
    is_go = folder.beside("go.mod", "Cargo.toml").endswith("go.mod")
    if not is_go and all(h.name.endswith(".sql") for h in halves):
        reason += "; sqlx names its files in the same way, and adopt reads its ledger, too"
    return joined(
        folder,
        "golang-migrate",
        halves,
        left_out,
        ledgers=("golang-migrate",) if is_go else ("golang-migrate", "sqlx"),
        reason=reason,
        records_undo_alone=True,
    )


def refuse_mixed(folder: Folder) -> None:
    """Raise `BadMigrationFile` where beside pairs are files with a number that golang-migrate would leave out."""
    numbered = [name for name in folder.top if re.fullmatch(r"\d+_.*\.sql", name)]
    others = [name for name in numbered if not re.search(r"\.(?:up|down)\.sql\Z", name)]
    if others and not folder.beside("go.mod", holding=b"golang-migrate"):
        raise BadMigrationFile(
            f"{folder.path} holds {counted(len(numbered) - len(others), 'file')} as golang-migrate names them, "
            f"and {counted(len(others), 'file')} that it leaves out: {listed(others, 3)}",
            hint="where all are run, by their numbers: --from sqlx\nwhere those others are not: --from golang-migrate",
        )


def _behind_each_semicolon(text: bytes) -> list[bytes]:
    return [piece for piece in re.findall(rb"[^;]*;|[^;]+\Z", text) if piece.strip()]


def _asked_or_needed(halves: Iterable[Half], wishes: Wishes) -> str:
    """Why x-multi-statement is taken for set; nothing where it is not."""
    asked = wishes.values.get(_MULTI)
    if asked is not None:
        return "as --set says" if asked.lower() in ("1", "t", "true") else ""
    return next((f"else {h.name} could not be run" for h in halves if h.section and _runs_in_parts(h.section)), "")


def _runs_in_parts(section: Section) -> bool:
    """Is there a statement among several that cannot run in a transaction, as one message is?"""
    if not re.search(rb"\b(?:CONCURRENTLY|VACUUM|DATABASE|SYSTEM|TABLESPACE)\b", section.text, re.IGNORECASE):
        return False
    try:
        script = script_of(section.path, section.text)
    except BadMigrationFile:
        return False  # said where it is translated
    return len(script.statements) > 1 and runs_outside(script)


# --- sqlx -------------------------------------------------------------------------------------

_ALONE = b"-- no-transaction"


def read_sqlx(folder: Folder, wishes: Wishes) -> Source:
    """sqlx: N_x.sql, or N_x.up.sql and N_x.down.sql, each in a transaction but for what begins with its mark.

    Source: https://github.com/launchbadge/sqlx (sqlx-core/src/migrate/source.rs, sqlx-postgres/src/migrate.rs).
    """
    halves: list[Half] = []
    left_out: list[Note] = []
    for name in folder.files:
        number, sign, rest = name.partition("_")
        if "/" in name or not sign or not rest.endswith(".sql"):
            left_out.append(_left(folder, "sqlx", name))
            continue
        if not re.fullmatch(r"\d+", number, re.ASCII):
            raise BadMigrationFile(
                f"{folder.where(name)} begins with no number, so sqlx refuses the whole folder",
                hint="rename it, or move it out of the folder",
            )
        _refuse_beyond(folder, name, number)
        ending = next(end for end in (".up.sql", ".down.sql", ".sql") if rest.endswith(end))
        halves.append(
            Half(
                str(int(number)),
                number,
                rest.removesuffix(ending),
                ending == ".down.sql",
                name,
                _of_sqlx(folder.section(name)),
            )
        )
    return joined(folder, "sqlx", halves, left_out)


def _of_sqlx(section: Section) -> Section:
    if not section.text.startswith(_ALONE):
        return section
    rest = section.text[len(_ALONE) :].partition(b"\n")[2]
    return replace(section, text=rest, line=2, is_wrapped=False)


def _shows_sqlx(folder: Folder) -> str:
    is_like = [name for name in folder.top if re.fullmatch(r"\d+_.*\.sql", name)]
    if not is_like:
        return ""
    is_pair = any(re.search(r"\.(?:up|down)\.sql\Z", name) for name in is_like)
    path = folder.beside("sqlx.toml", "Cargo.toml", holding=b"" if is_pair else b"sqlx")
    if path and folder.beside("go.mod").count(os.sep) <= path.count(os.sep):
        return f"{is_like[0]}, and {os.path.relpath(path)} beside it"
    return ""


# --- pop --------------------------------------------------------------------------------------

_POP = re.compile(
    r"(?P<number>\d+)_(?P<words>[^.]+)(?:\.(?!autocommit\.)(?P<dialect>[a-z0-9]+))?(?P<alone>\.autocommit)?"
    r"\.(?P<direction>up|down)\.(?P<kind>sql|fizz)\Z",
    re.ASCII,
)
_POSTGRES = frozenset({"postgres", "postgresql", "pg", "pgx"})
# {{ index .Options "Namespace" }}, {{ .Dialect }}; whatever else stands so is a template's code.
_TEMPLATE = re.compile(
    rb'\{\{\s*(?:index\s+\.(?:Options|Parameters)\s+"|\.(?:Options\.|Parameters\.)?)(?P<name>\w+)"?\s*\}\}'
    rb"|(?P<code>\{\{.*?\}\})|\{\{.*\Z",
    re.DOTALL,
)


def read_pop(folder: Folder, wishes: Wishes) -> Source:
    """pop (Buffalo), and Ory's popx: pairs in the order of their versions as texts, one of postgres before one of all.

    Each file is a template, and runs in a transaction, but for popx's .autocommit.
    Source: https://github.com/gobuffalo/pop (migrator.go, match.go, migration_content.go, file_migrator.go);
    https://github.com/ory/x (popx/match.go, popx/migration_info.go).
    """
    chosen: dict[tuple[str, str], tuple[bool, list[Half]]] = {}
    others: dict[str, list[str]] = {}
    left_out: list[Note] = []
    for name in folder.files:
        found = _POP.match(name.rpartition("/")[2])
        if found is None:
            left_out.append(Note(folder.where(name), "is no file of pop"))
            continue
        dialect = found["dialect"] or ""
        if dialect and dialect not in _POSTGRES:
            others.setdefault(dialect, []).append(name)
            continue
        section = folder.section(name, is_wrapped=not found["alone"]) if found["kind"] == "sql" else None
        half = Half(found["number"], found["number"], found["words"], found["direction"] == "down", name, section)
        key = (found["number"], found["direction"])
        is_known, known = chosen.get(key, (False, []))
        if bool(dialect) == is_known or not known:
            chosen[key] = (bool(dialect), [*known, half])
        else:
            chosen[key] = (True, [half] if dialect else known)
            less = known if dialect else [half]
            left_out += [Note(folder.where(h.name), "another file is for postgres alone") for h in less]
    left_out += [
        Note(folder.where(names[0]), f"and {counted(len(names) - 1, 'file')} like it are for {dialect}")
        for dialect, names in others.items()
    ]
    source = joined(
        folder,
        "pop",
        (half for _, halves in chosen.values() for half in halves),
        left_out,
        order=str,
        # dbmate's is the same table under the name schema_migrations, which pop's option migration_table_name can give
        ledgers=("pop", "dbmate"),
    )
    return replace(source, placeholder=_TEMPLATE, values={"Dialect": "postgres"})


def _shows_pop(folder: Folder) -> str:
    path = folder.beside("go.mod", holding=b"github.com/gobuffalo/pop")
    if path and b"github.com/golang-migrate/migrate" not in Path(path).read_bytes():
        name = next((n for n in folder.files if _POP.match(n.rpartition("/")[2])), "")
        return f"{name}, and {os.path.relpath(path)} names github.com/gobuffalo/pop" if name else ""
    for name in folder.files:
        if _POP.match(name.rpartition("/")[2]) and name.endswith(".sql"):
            found = re.search(rb"\{\{-?\s*(?:index\s+)?\.[A-Z]\w*[^}]*\}\}", folder.text(name))
            if found:
                return f"{name} says {found.group().decode()}"
    return ""


# --- Bun --------------------------------------------------------------------------------------

_BUN = re.compile(r"(?P<number>\d{1,14})_(?P<words>[0-9a-z_\-]+)\.", re.ASCII)
_BUN_MARK = b"--bun:"


def read_bun(folder: Folder, wishes: Wishes) -> Source:
    """Bun: pairs in the order of their numbers as texts; .tx. in a transaction, others message by message.

    It leaves out blank lines, in literals as well.
    Source: https://github.com/uptrace/bun (migrate/migration.go, migrate/migrations.go).
    """
    halves: list[Half] = []
    left_out: list[Note] = []
    for name in folder.files:
        base = name.rpartition("/")[2]
        found = _BUN.match(base)
        is_go = base.endswith(".go") and not base.endswith("_test.go") and b"Register(" in folder.said(name)
        if not base.endswith((".up.sql", ".down.sql")) and not (is_go and found):
            left_out.append(Note(folder.where(name), "is no file of Bun"))
        elif found is None:
            raise BadMigrationFile(
                f"{folder.where(name)}: Bun refuses the whole folder for that name",
                hint="a name is a number of at most 14 digits, _, and small letters, digits, _ and -",
            )
        else:
            is_undo = base.endswith(".down.sql")
            section = None if is_go else _of_bun(folder, name)
            halves.append(Half(found["number"], found["number"], found["words"], is_undo, name, section))
    return joined(folder, "Bun", halves, left_out, order=str, records_undo_alone=True)


def _of_bun(folder: Folder, name: str) -> Section:
    queries: list[list[bytes]] = [[]]
    kept: list[bytes] = []
    for number, line in enumerate(folder.text(name).split(b"\n"), 1):
        if not line.startswith(_BUN_MARK):
            kept.append(line)
            if line.strip():
                queries[-1].append(line)
        elif line == b"--bun:split":
            queries.append([])
        else:
            raise BadMigrationFile(
                f"{folder.where(name)}:{number}: Bun refuses {line.decode().strip()}",
                hint="--bun:split, with nothing before or behind it, is all that it knows",
            )
    sent = [b"\n".join(lines) + b"\n" for lines in queries if lines]
    section = Section(folder.where(name), _without_blanks(folder.where(name), b"\n".join(kept)))
    is_wrapped = name.endswith((".tx.up.sql", ".tx.down.sql"))
    if len(sent) < 2:
        return replace(section, is_wrapped=is_wrapped)
    return replace(section, is_wrapped=is_wrapped, cut=cut_as(sent))


def _without_blanks(path: str, text: bytes) -> bytes:
    """The text without the blank lines in its statements."""
    try:
        spans = [(piece.start, piece.end) for piece in pieces(path, text)]
    except BadMigrationFile:
        return text  # said where it is translated
    for start, end in reversed(spans):
        text = text[:start] + re.sub(rb"\n(?:[^\S\n]*\n)+", b"\n", text[start:end]) + text[end:]
    return text


def _shows_bun(folder: Folder) -> str:
    found = next((n for n in folder.top if n.endswith(".go") and b"uptrace/bun" in folder.said(n)), "")
    return f"{found}, which imports github.com/uptrace/bun" if found else ""


# --- Postgrator -------------------------------------------------------------------------------

_POSTGRATOR_ENDS = (".sql", ".js", ".mjs", ".cjs")


def read_postgrator(folder: Folder, wishes: Wishes) -> Source:
    """Postgrator: N.do.x.sql and N.undo.x.sql in the order of their numbers, each file as one message.

    Source: https://github.com/rickbergfalk/postgrator (postgrator.js, lib/Client.js).
    """
    halves: list[Half] = []
    left_out: list[Note] = []
    for name in folder.files:
        stem, end = os.path.splitext(name.rpartition("/")[2])
        number, _, rest = stem.partition(".")
        action, _, words = rest.partition(".")
        if end not in _POSTGRATOR_ENDS or not re.fullmatch(r"\d+", number, re.ASCII):
            left_out.append(Note(folder.where(name), "is no file of Postgrator"))
        elif action not in ("do", "undo") or int(number) == 0:
            left_out.append(Note(folder.where(name), "Postgrator never runs it"))
        else:
            _refuse_beyond(folder, name, number)
            section = folder.section(name, is_wrapped=False) if end == ".sql" else None
            halves.append(Half(str(int(number)), number, words, action == "undo", name, section))
    return joined(folder, "Postgrator", halves, left_out)


_AS_GOLANG = frozenset({"golang-migrate"})

TOOLS: tuple[Tool, ...] = (
    Tool("golang-migrate", read_golang_migrate, "golang-migrate", is_flat=True),
    Tool("sqlx", read_sqlx, "sqlx", _shows_sqlx, _AS_GOLANG, is_flat=True),
    Tool("bun", read_bun, "Bun", _shows_bun, _AS_GOLANG),
    Tool("pop", read_pop, "Pop", _shows_pop, _AS_GOLANG),
    Tool("postgrator", read_postgrator, "Postgrator"),
)

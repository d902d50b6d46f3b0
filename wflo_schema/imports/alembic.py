"""Alembic, by the SQL that it writes offline: ``alembic upgrade heads --sql``.

Hides where one revision ends in that text, which transactions are open there, and what keeps Alembic's own ledger.
Source: https://github.com/sqlalchemy/alembic (``run_migrations``, ``HeadMaintainer``, ``RevisionStep.short_log`` and
``autocommit_block`` in alembic/runtime/migration.py; ``static_output`` in alembic/ddl/impl.py).
"""

from __future__ import annotations

import ast
import heapq
import re
import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.splitting import Piece, pieces
from wflo_schema.imports.source import (
    Folder,
    Note,
    Section,
    Source,
    Step,
    Tool,
    Wishes,
    each_statement,
    is_sql,
    left_out_of,
)
from wflo_schema.words import listed, shown

# "-- Running upgrade  -> a1", "-- Running upgrade None -> a1" (before 0.7), "-- Running downgrade c1 -> b1, b2".
_RUNNING = re.compile(
    rb"^-- Running (?P<way>\S+) (?P<before>[^\n]*?) ?->(?P<after>[^\n]*)$", re.MULTILINE | re.IGNORECASE
)
# What logging writes where both streams went into the file.
_LOGGED = re.compile(rb"^(?:DEBUG|INFO|WARNI\w*|ERROR) +\[[\w.]+\][^\n]*", re.MULTILINE)
_WORDS = re.compile(
    rb"^INFO +\[alembic[.\w]*\] Running upgrade [^\n]*-> (?P<revision>\S+), (?P<words>[^\n]*)$", re.MULTILINE
)

_TABLE = rb'(?P<table>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'
_LITERAL = rb"'(?P<one>[^']*)'"
_RECORDED = re.compile(
    rb"INSERT\s+INTO\s+" + _TABLE + rb"\s*\(version_num\)\s*VALUES\s*\(" + _LITERAL + rb"\)"
    rb"|UPDATE\s+(?P<table2>\S+)\s+SET\s+version_num\s*=\s*'(?P<two>[^']*)'\s+WHERE\s+\S*version_num\s*=\s*'[^']*'"
    rb"|DELETE\s+FROM\s+(?P<table3>\S+)\s+WHERE\s+\S*version_num\s*=\s*'(?P<three>[^']*)'",
    re.IGNORECASE,
)
_LEDGER_MADE = re.compile(
    rb"CREATE\s+TABLE\s+(?:IF\s+NOT\s+EXISTS\s+)?" + _TABLE + rb"\s*\(\s*version_num\s", re.IGNORECASE
)
_LEDGER_DROPPED = re.compile(rb"DROP\s+TABLE\s+" + _TABLE + rb"\s*\Z", re.IGNORECASE)
_BEGINS = re.compile(rb"(?:BEGIN|START)(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
_COMMITS = re.compile(rb"(?:COMMIT|END)(?:\s+(?:WORK|TRANSACTION))?", re.IGNORECASE)
_BEGIN_LINE = re.compile(rb"^BEGIN;$", re.MULTILINE)
_TWICE = re.compile(rb"%%")

_SQL_FOLDER = "alembic-sql"


@dataclass(frozen=True, slots=True)
class _Run:
    """What one file has of one revision, in one direction; ``line`` is that of its text, from 1."""

    revision: str
    before: tuple[str, ...]
    is_undo: bool
    section: Section


def read_alembic(folder: Folder, wishes: Wishes) -> Source:
    """Read what ``alembic upgrade`` and ``downgrade`` wrote with --sql: a revision is a migration.

    A revision that others come after and no file holds is one that waits for a person.
    """
    ledgers: set[bytes] = set()
    runs: list[_Run] = []
    left_out: list[Note] = []
    others: list[str] = []
    for name in sorted(folder.files, key=lambda n: n.rpartition(".")[0]):  # upgrade.sql before upgrade-2.sql
        found = _runs_of(folder, name, ledgers) if is_sql(name) or folder.is_file else []
        runs += found
        if not found and is_sql(name):
            left_out.append(Note(folder.where(name), "is not what alembic upgrade --sql has written"))
        elif not found:
            others.append(name)
    forward = _by_revision((r for r in runs if not r.is_undo), "upgrade")
    undo = _by_revision((r for r in runs if r.is_undo), "downgrade")
    if not forward:
        raise _unwritten(folder, others, has_undo=bool(undo))
    left_out += left_out_of(folder, others, "no SQL")
    left_out += _of_ledgers(folder, ledgers)
    words = _words(folder)
    steps = [_step(revision, forward.get(revision), undo, forward, words) for revision in _in_order(forward)]
    known = {step.version for step in steps}
    left_out += [
        Note(r.section.path, f"takes back revision {r.revision}, which no file makes", line=r.section.line)
        for r in undo.values()
        if r.revision not in known
    ]
    return Source("alembic", folder.path, "", tuple(steps), ("alembic",), tuple(left_out), True, grows=True)


def _by_revision(runs: Iterable[_Run], way: str) -> dict[str, _Run]:
    found: dict[str, _Run] = {}
    for run in runs:
        known = found.setdefault(run.revision, run)
        if known.section.text != run.section.text:
            raise BadMigrationFile(
                f"two places have the {way} of revision {run.revision}: "
                f"{known.section.path}:{known.section.line} and {run.section.path}:{run.section.line}",
                hint="remove the older file; or write the later one from where the other ends: "
                f"alembic {way} REVISION:heads --sql",
            )
    return found


def _in_order(forward: Mapping[str, _Run]) -> list[str]:
    """The revisions as Alembic wrote them, each behind those that it is built on; what is missing stands among them."""
    revisions: dict[str, tuple[str, ...]] = {}
    for run in forward.values():
        revisions |= {missing: () for missing in run.before if missing not in forward and missing not in revisions}
        revisions[run.revision] = run.before
    place = {revision: n for n, revision in enumerate(revisions)}
    waits = {revision: set(before) for revision, before in revisions.items()}
    then: dict[str, list[str]] = {}
    for revision, before in revisions.items():
        for one in before:
            then.setdefault(one, []).append(revision)
    ready = [place[r] for r, before in waits.items() if not before]
    names, ordered = list(revisions), []
    heapq.heapify(ready)
    while ready:
        revision = names[heapq.heappop(ready)]
        ordered.append(revision)
        for later in then.get(revision, ()):
            waits[later].discard(revision)
            if not waits[later]:
                heapq.heappush(ready, place[later])
    if len(ordered) < len(revisions):
        circle = [r for r in revisions if r not in set(ordered)]
        raise BadMigrationFile(f"revisions come after each other in a circle: {listed(circle)}")
    return ordered


def _step(
    revision: str, run: _Run | None, undo: Mapping[str, _Run], forward: Mapping[str, _Run], words: Mapping[str, str]
) -> Step:
    back = undo[revision].section if revision in undo else None
    name = f"{revision} {words.get(revision, '')}".strip()
    if run is not None:
        return Step(revision, "", name, run.section.path, run.section, back)
    after = next(r for r in forward.values() if revision in r.before)
    note = Note(
        after.section.path,
        f"revision {revision}, which {after.revision} comes after, is in no file",
        f"if Alembic can write it: alembic upgrade BEFORE_IT:{revision} --sql > {_SQL_FOLDER}/{revision}.sql; "
        "if not, because it asks the database, write here in SQL what it does",
        after.section.line,
        is_open=True,
    )
    return Step(revision, "", name, after.section.path, None, back, notes=(note,))


def _of_ledgers(folder: Folder, ledgers: Iterable[bytes]) -> list[Note]:
    """What is to be said of a ledger that is called otherwise: adopt does not find it."""
    names = sorted(name.decode() for name in ledgers if name.rpartition(b".")[2].strip(b'"') != b"alembic_version")
    return [
        Note(
            folder.path,
            f"Alembic keeps its ledger in {name} here, which adopt does not read: the catalog alone decides",
        )
        for name in names
    ]


# --- one file ---------------------------------------------------------------------------------


def _runs_of(folder: Folder, name: str, ledgers: set[bytes]) -> list[_Run]:
    """The revisions that a file holds; the names of Alembic's ledger are added to ``ledgers``."""
    text = _LOGGED.sub(b"", folder.text(name))
    marks = list(_RUNNING.finditer(text))
    revisions = {r.encode() for mark in marks for r in (*_revisions(mark["before"]), *_revisions(mark["after"]))}
    path = folder.where(name)
    if not marks:
        return []
    beginning = text[: marks[0].start()]
    is_within = any(_BEGINS.fullmatch(s) for s in _statements(beginning)) or _BEGIN_LINE.search(text) is None
    found: list[_Run] = []
    for mark, after in zip(marks, [*(m.start() for m in marks[1:]), len(text)], strict=True):
        line = text.count(b"\n", 0, mark.start()) + 1
        way = mark["way"].lower()
        if not way.startswith((b"upgrade", b"downgrade")):
            said = mark.group().decode()
            raise BadMigrationFile(
                f"{path}:{line} says {said}, which is neither an upgrade nor a downgrade",
                hint="a decorator hides its name: use functools.wraps in it, and let Alembic write this again",
            )
        is_undo = way.startswith(b"down")
        ends = _revisions(mark["before" if is_undo else "after"])
        if len(ends) != 1:
            raise BadMigrationFile(f"{path}:{line} names no single revision: {mark.group().decode()}")
        section = _cleaned(path, text[mark.end() : after], line, revisions, ledgers, is_within=is_within)
        if not found:
            section = _with_beginning(section, beginning, ledgers)
        found.append(_Run(ends[0], () if is_undo else _revisions(mark["before"]), is_undo, section))
    return found


def _revisions(said: bytes) -> tuple[str, ...]:
    names = (one.strip() for one in said.decode().split(","))
    return tuple(name for name in names if name not in ("", "None", "base"))


def _statements(text: bytes) -> list[bytes]:
    try:
        return each_statement(text)
    except BadMigrationFile:
        return []


def _with_beginning(section: Section, beginning: bytes, ledgers: set[bytes]) -> Section:
    """The first section, with what the project's env.py wrote before any revision."""
    more = [
        s
        for s in _statements(beginning)
        if not _BEGINS.fullmatch(s) and not _COMMITS.fullmatch(s) and not _keeps_ledger(s, set(), ledgers)
    ]
    if not more:
        return section
    said = listed(map(shown, more))
    what = f"stands before the first revision, and is run with that one alone: {said}"
    note = Note(
        section.path, what, "what is set for all of them is said otherwise: --schema, or the database's settings"
    )
    text = b"".join(s + b";\n\n" for s in more) + section.text
    return replace(section, text=text, notes=(note, *section.notes))


def _keeps_ledger(statement: bytes, revisions: set[bytes], ledgers: set[bytes]) -> bool:
    """Does the statement belong to Alembic's own ledger?"""
    if made := _LEDGER_MADE.match(statement):
        ledgers.add(made["table"])
        return True
    if dropped := _LEDGER_DROPPED.match(statement):
        return dropped["table"] in {*ledgers, b"alembic_version"}
    recorded = _RECORDED.match(statement)
    if recorded is None or (recorded["one"] or recorded["two"] or recorded["three"]) not in revisions:
        return False
    ledgers.add(recorded["table"] or recorded["table2"] or recorded["table3"])
    return True


def _cleaned(
    path: str, text: bytes, line: int, revisions: set[bytes], ledgers: set[bytes], *, is_within: bool
) -> Section:
    """A revision's SQL without what keeps the ledger; ``is_within``: it begins within a transaction.

    Alembic commits before an autocommit block, and begins anew behind it.  Where nothing runs outside, it is one
    transaction, whatever stands around it.
    """
    try:
        found = list(pieces(path, text))
    except BadMigrationFile:
        return Section(path, text, line + 1)
    kept: list[tuple[Piece, bool]] = []
    is_open, is_recorded = is_within, False
    for piece in found:
        said = text[piece.start : piece.end]
        if _BEGINS.fullmatch(said):
            is_open = True
        elif _COMMITS.fullmatch(said):
            is_open = False
        elif _keeps_ledger(said, revisions, ledgers):
            is_recorded = True
        else:
            kept.append((piece, is_open))
    notes = []
    if not is_recorded:
        what = "does not end with the line by which Alembic records the revision: it stopped in between"
        notes.append(Note(path, what, "look at what it said there, and write the rest in SQL", line, is_open=True))
    if twice := _TWICE.search(text):
        what = "%% stands here: without paramstyle named in env.py, Alembic writes %% for each %"
        notes.append(Note(path, what, "the live database may have one", line + text.count(b"\n", 0, twice.start())))
    is_apart = not all(within for _, within in kept)
    joined, skipped = _joined(text, found, kept, marks_transactions=is_apart)
    return Section(
        path,
        joined,
        line + skipped,
        is_wrapped=not is_apart,
        cut=each_statement if is_apart else None,
        notes=tuple(notes),
    )


def _joined(
    text: bytes, found: Sequence[Piece], kept: Sequence[tuple[Piece, bool]], *, marks_transactions: bool
) -> tuple[bytes, int]:
    """The statements that are kept, with the comments before each, and how many lines are left out at the top."""
    within = {piece.start: is_within for piece, is_within in kept}
    made: list[bytes] = []
    position, is_open = 0, False
    for piece in found:
        before = text[position : piece.start]
        end = re.compile(rb"[ \t\n]*;?").match(text, piece.data[1] if piece.data else piece.end)
        position = end.end() if end else piece.end
        if piece.start in within:
            if marks_transactions and within[piece.start] is not is_open:
                is_open = not is_open
                before += b"BEGIN;\n\n" if is_open else b"COMMIT;\n\n"
            made.append(before + text[piece.start : position])
        elif not before.isspace():
            made.append(before.rstrip())
    made.append(b"\nCOMMIT;" if is_open else b"")
    made.append(text[position:].rstrip())
    whole = b"".join(made)
    stripped = whole.lstrip(b"\n")
    return stripped.rstrip() + b"\n" if stripped.strip() else b"", len(whole) - len(stripped)


# --- the project ------------------------------------------------------------------------------


def _words(folder: Folder) -> dict[str, str]:
    """The first line that each revision says of itself, where the folder holds them, or the log."""
    found: dict[str, str] = {}
    for name in folder.files:
        if name.endswith(".py") and (said := _revision_of(folder.text(name))):
            found[said[0]] = said[1]
        elif is_sql(name) or folder.is_file:
            logged = _WORDS.finditer(folder.text(name))
            found |= {m["revision"].decode(): m["words"].decode().strip() for m in logged}
    return found


def _revision_of(text: bytes) -> tuple[str, str] | None:
    """The revision that a Python file is, and its words; it is parsed, and never run."""
    if b"down_revision" not in text:
        return None
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError):
        return None
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        value = getattr(node, "value", None)
        is_revision = any(isinstance(t, ast.Name) and t.id == "revision" for t in targets)
        if is_revision and isinstance(value, ast.Constant) and isinstance(value.value, str):
            words = (ast.get_docstring(tree) or "").partition("\n")[0]
            return value.value, words
    return None


def _shows(folder: Folder) -> str:
    """Revisions alone, without what stands beside them in a project."""
    for name in folder.files:
        if name.endswith(".py") and _revision_of(folder.text(name)):
            return f"{name} is a revision"
    return ""


def _unwritten(folder: Folder, others: Sequence[str], *, has_undo: bool) -> BadMigrationFile:
    """What to type so that Alembic writes SQL."""
    python = [name for name in others if name.endswith(".py") and b"down_revision" in folder.text(name)]
    flask = any(name.endswith("env.py") and b"current_app" in folder.text(name) for name in others)
    tool = "flask db" if flask else "alembic"
    what = (
        f"{folder.path} holds only what takes back: the output of alembic upgrade --sql is missing"
        if has_undo
        else f"{folder.path} holds Alembic's revisions as Python, which is not run here"
        f"{': ' + listed(map(folder.where, python), 2) if python else ''}"
    )
    return BadMigrationFile(
        what,
        hint="let Alembic write them as SQL, where its alembic.ini is, and import that:\n"
        f"mkdir {_SQL_FOLDER}\n"
        f"{tool} upgrade heads --sql > {_SQL_FOLDER}/upgrade.sql\n"
        f"{tool} downgrade heads:base --sql > {_SQL_FOLDER}/downgrade.sql\n"
        f"wflo-schema import {shlex.quote(_SQL_FOLDER)}\n"
        "where Alembic stops at a revision that asks the database, keep what it wrote, and write the rest into "
        f"another file: {tool} upgrade THAT_REVISION:heads --sql > {_SQL_FOLDER}/upgrade-2.sql\n"
        f"where there are several heads, take back each: {tool} downgrade HEAD:base --sql > {_SQL_FOLDER}/HEAD.sql",
    )


TOOL = Tool("alembic", read_alembic, "Alembic", _shows)

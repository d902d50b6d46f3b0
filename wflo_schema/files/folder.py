"""Migration files as values: read, order, checksum, split into statements with lines, scaffold a new one.

Hides yoyo's reader, the directives and PostgreSQL's parser.  A file is found, named, ordered and
related to others as yoyo 9 does it (``yoyo/migrations.py``); what is in it is split by
PostgreSQL's own parser instead of by sqlparse.
"""

from __future__ import annotations

import datetime
import hashlib
import os
import re
import secrets
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sized
from dataclasses import dataclass, field
from pathlib import Path

from wflo_schema.errors import BadMigrationFile
from wflo_schema.findings import Location

# Characters: the ledger's migration_id is a varchar(255), as yoyo makes it.
MAX_ID_LENGTH = 255

_DIRECTIVE = re.compile(
    r"^\s*--\s*(?P<name>transactional|depends|lock[-_]timeout|nothing[-_]to[-_]undo)\s*(?::\s*(?P<value>.*))?$"
)
_DURATION = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>ms|s|min|h)?", re.IGNORECASE)
_UNITS_MS = {"ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement of a file, without leading comments and without its semicolon.

    ``offset`` is where it begins in the file's text, in characters from 0; ``line`` and
    ``column`` the same place, counted from 1.
    """

    text: str
    offset: int
    line: int
    column: int

    @property
    def words(self) -> tuple[str, ...]:
        """Its first words in upper case (at most 8), comments left out."""
        return tuple(_first_words(self.text, 8))


@dataclass(frozen=True, slots=True)
class Script:
    """What one file says: its text and its statements in order."""

    path: str
    text: str
    checksum: str
    statements: tuple[Statement, ...]
    nothing_to_undo: bool = False

    def location(self, offset: int) -> Location:
        """The line and column of a place given in characters from 0."""
        line = self.text.count("\n", 0, offset) + 1
        return Location(self.path, line, offset - (self.text.rfind("\n", 0, offset) + 1) + 1)

    def source_line(self, line: int) -> str:
        """The text of a line counted from 1."""
        lines = self.text.split("\n")
        return lines[line - 1] if 0 < line <= len(lines) else ""


@dataclass(frozen=True, slots=True)
class Migration:
    """One forward file.  ``id`` is its name without the suffix, as yoyo has it.

    ``checksum`` is the SHA-256 of its text with line ends as ``\\n``; ``depends`` are ids;
    ``lock_timeout_ms`` is the file's own wish, if any.  ``rollback_path`` is None where there is
    no ``.rollback.sql`` beside it.
    """

    id: str
    path: str
    checksum: str
    depends: tuple[str, ...] = ()
    is_transactional: bool = True
    lock_timeout_ms: int | None = None
    rollback_path: str | None = None

    @property
    def hash(self) -> str:
        """The key of the ledger's row: the SHA-256 of the id (``yoyo.migrations.get_migration_hash``)."""
        return migration_hash(self.id)


@dataclass(frozen=True, slots=True)
class Absent:
    """A dependency that has no file: ``id``, and who wants it where."""

    id: str
    wanted_by: str
    location: Location


@dataclass(frozen=True, slots=True)
class Migrations:
    """Every migration of one or more folders, in the order in which they are applied."""

    directories: tuple[str, ...]
    items: tuple[Migration, ...]
    stray_rollbacks: tuple[str, ...] = ()
    """Rollback files that belong to no migration."""
    absent: tuple[Absent, ...] = ()
    """Dependencies for which there is no file; `refuse_absent` says which of them may be so."""
    _by_id: dict[str, Migration] = field(default_factory=dict, repr=False, compare=False)

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[Migration]:
        return iter(self.items)

    def get(self, migration_id: str) -> Migration | None:
        """The migration of that id, or None."""
        return self._by_id.get(migration_id)

    @property
    def without_rollback(self) -> tuple[str, ...]:
        """Ids of migrations that have no rollback file."""
        return tuple(m.id for m in self.items if m.rollback_path is None)

    def resolve(self, wish: str) -> Migration:
        """Find a migration by id, or by any beginning of one that fits only one (``20251110_01``).

        Raise `BadMigrationFile` when none or several fit.
        """
        if not wish:
            raise BadMigrationFile("the id is empty", hint="wflo-schema status lists the ids")
        exact = self._by_id.get(wish.removesuffix(".sql"))
        if exact is not None:
            return exact
        fitting = [m for m in self.items if m.id.startswith(wish)]
        if len(fitting) == 1:
            return fitting[0]
        where = " and ".join(self.directories)
        if not fitting:
            raise BadMigrationFile(f"there is no migration {wish} in {where}", hint="wflo-schema status lists the ids")
        raise BadMigrationFile(
            f"{wish} fits {len(fitting)} migrations in {where}: {some(m.id for m in fitting)}",
            hint="give more of the id",
        )

    def refuse_absent(self, applied: Collection[str] = ()) -> None:
        """Raise `BadMigrationFile` for a dependency without a file, unless it is one of ``applied`` (hashes).

        An applied one whose file is gone is a matter of the ledger: it is missing.
        """
        for gone in self.absent:
            if migration_hash(gone.id) not in applied:
                raise BadMigrationFile(
                    f"{gone.wanted_by} depends on {gone.id}, and there is no such migration",
                    hint="correct the -- depends: line, or bring the missing file back",
                    location=gone.location,
                )

    def heads(self) -> tuple[tuple[str, ...], ...]:
        """The ends of every history that forked: tuples of two or more ids, none where all is well.

        Only migrations tied by ``-- depends:`` count; files without it are ordered by name.
        """
        neighbours: dict[str, set[str]] = {}
        children: dict[str, int] = {}
        for m in self.items:
            for parent in m.depends:
                neighbours.setdefault(m.id, set()).add(parent)
                neighbours.setdefault(parent, set()).add(m.id)
                children[parent] = children.get(parent, 0) + 1
        seen: set[str] = set()
        forked = []
        for m in self.items:
            if m.id in seen or m.id not in neighbours:
                continue
            stack, ends = [m.id], []
            seen.add(m.id)
            while stack:
                here = stack.pop()
                if not children.get(here):
                    ends.append(here)
                fresh = neighbours[here] - seen
                seen |= fresh
                stack.extend(fresh)
            if len(ends) > 1:
                forked.append(tuple(sorted(ends)))
        return tuple(forked)


def migration_hash(migration_id: str) -> str:
    """The ledger's key for an id, as ``yoyo.migrations.get_migration_hash`` makes it."""
    return hashlib.sha256(migration_id.encode("utf-8")).hexdigest()


_LONGEST_MS = 2**31 - 1


def parse_duration_ms(text: str) -> int:
    """Read ``500ms``, ``2s``, ``1min``, ``1h`` or, as PostgreSQL does, a bare number of milliseconds.

    Raise ValueError otherwise.
    """
    match = _DURATION.fullmatch(text.strip().strip("'\""))
    if match is None:
        raise ValueError(f"{text!r} is no duration: write 500ms, 2s or 1min")
    duration_ms = round(float(match["number"]) * _UNITS_MS[(match["unit"] or "ms").lower()])
    if duration_ms > _LONGEST_MS:
        raise ValueError(f"{text!r} is longer than PostgreSQL can wait: {_LONGEST_MS} ms, or 24 days, at most")
    return duration_ms


def read_migrations(*directories: Path | str) -> Migrations:
    """Read every migration of the folders; each file is opened once.

    Files are found as yoyo finds them: ``*.sql`` but not ``*.rollback.sql``.  Raise
    `BadMigrationFile`, naming the file, when a folder is not there, two files have one id,
    dependencies go in a circle, a file is not UTF-8 or a directive makes no sense.  Dependencies
    without a file are only listed: whether one may be absent is for the ledger to say.
    """
    found: dict[str, Migration] = {}
    strays: list[str] = []
    lines: dict[str, int] = {}
    for directory in directories:
        for m, depends_line in _read_directory(os.fspath(directory), strays):
            if m.id in found:
                raise BadMigrationFile(
                    f"two migration files have the id {m.id}: {found[m.id].path} and {m.path}",
                    hint="rename one of them; an id is the file's name without .sql",
                )
            found[m.id] = m
            lines[m.id] = depends_line
    absent = tuple(
        Absent(wanted, m.id, Location(m.path, lines[m.id]))
        for m in found.values()
        for wanted in m.depends
        if wanted not in found
    )
    return Migrations(tuple(os.fspath(d) for d in directories), tuple(_in_order(found)), tuple(strays), absent, found)


def _read_directory(directory: str, strays: list[str]) -> Iterator[tuple[Migration, int]]:
    try:
        with os.scandir(directory) as entries:
            listed = sorted((e for e in entries if e.name.endswith((".sql", ".py"))), key=lambda e: e.name)
            for e in listed:
                _refuse_unreadable_name(directory, e)
            names = [e.name for e in listed if e.is_file()]
    except FileNotFoundError:
        raise BadMigrationFile(
            f"there is no folder {directory}",
            hint='name the folder of your migrations with --migrations, or start one: wflo-schema new "create tables"',
        ) from None
    except OSError as error:
        raise BadMigrationFile(f"cannot read the folder {directory}: {error.strerror}") from None
    present = set(names)
    for name in names:
        path = os.path.join(directory, name)
        if name.startswith((".", "_tmp_yoyonew")) or name == "__init__.py":
            continue
        stem, suffix = os.path.splitext(name)
        if name.endswith(".rollback.sql"):
            if name.removesuffix(".rollback.sql") + ".sql" not in present:
                strays.append(path)
            continue
        if suffix == ".py":
            if stem + ".sql" in present:
                raise BadMigrationFile(
                    f"two migration files have the id {stem}: {name} and {stem}.sql in {directory}",
                    hint="remove or rename one of them",
                )
            raise BadMigrationFile(
                f"{path} is a Python migration, and only plain SQL is run here",
                hint="write it as SQL, or move it out of the folder",
            )
        if stem.startswith("post-apply"):
            raise BadMigrationFile(
                f"{path} is one of yoyo's post-apply hooks, which are not run here",
                hint="a hook that runs outside the ledger could be lost by a crash: make it a migration, "
                "or a command of your own after wflo-schema migrate",
            )
        if len(stem) > MAX_ID_LENGTH:
            raise BadMigrationFile(f"{path}: the name is longer than {MAX_ID_LENGTH} characters")
        text, checksum = _read_text(path)
        directives, at = _directives(path, text)
        rollback = stem + ".rollback.sql"
        yield (
            Migration(
                stem,
                path,
                checksum,
                tuple(dict.fromkeys(directives.get("depends", "").split())),
                _is_transactional(path, directives, at),
                _lock_timeout_ms(path, directives, at),
                os.path.join(directory, rollback) if rollback in present else None,
            ),
            at.get("depends", 1),
        )


def _refuse_unreadable_name(directory: str, entry: os.DirEntry[str]) -> None:
    try:
        entry.name.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(entry.name).decode("utf-8", "backslashreplace")
        raise BadMigrationFile(
            f"the name of a file in {directory} is not UTF-8: {shown}",
            hint="rename it: its id must be a text that the ledger can hold",
        ) from None
    if entry.is_symlink() and not os.path.exists(entry.path) and not entry.name.startswith("."):
        raise BadMigrationFile(f"{entry.path} is a link to a file that is not there", hint="mend or remove the link")


def _read_text(path: str) -> tuple[str, str]:
    """The file's text with line ends as ``\\n``, and its checksum."""
    try:
        with open(path, "rb") as file:
            content = file.read()
    except OSError as error:
        raise BadMigrationFile(f"cannot read {path}: {error.strerror}") from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        line = before.count(b"\n") + 1
        column = error.start - (before.rfind(b"\n") + 1) + 1
        raise BadMigrationFile(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}",
            hint="save it as UTF-8 (iconv -f latin1 -t utf-8, if it is Latin-1)",
            location=Location(path, line, column),
        ) from None
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    if "\x00" in text:
        raise BadMigrationFile(
            f"{path} holds a NUL character, which PostgreSQL cannot take",
            hint="is it saved as UTF-16? save it as UTF-8",
            location=Location(path, text.count("\n", 0, text.index("\x00")) + 1),
        )
    return text, hashlib.sha256(text.encode("utf-8")).hexdigest()


def _directives(path: str, text: str) -> tuple[dict[str, str], dict[str, int]]:
    """The directives of a file's leading comments and the line of each (first one)."""
    found: dict[str, str] = {}
    at: dict[str, int] = {}
    start = number = 0
    length = len(text)
    while start < length:
        number += 1
        end = text.find("\n", start)
        if end < 0:
            end = length
        line = text[start:end]
        stripped = line.strip()
        if stripped and not stripped.startswith("--"):
            break
        match = _DIRECTIVE.match(line) if stripped else None
        if match:
            name = match["name"].replace("_", "-")
            found[name] = f"{found[name]} {match['value'] or ''}" if name in found else (match["value"] or "")
            at.setdefault(name, number)
        start = end + 1
    if "transactional" in found or "depends" in found:
        from yoyo.migrations import parse_metadata_from_sql_comments

        theirs, _, _ = parse_metadata_from_sql_comments(text[:start])
        found.update(theirs)
    return found, at


def _is_transactional(path: str, directives: dict[str, str], at: dict[str, int]) -> bool:
    value = directives.get("transactional", "true").strip().lower()
    if value not in ("true", "false"):
        raise BadMigrationFile(
            f"{path}: transactional is {value!r}, and must be true or false",
            hint="write -- transactional: false, or remove the line",
            location=Location(path, at["transactional"]),
        )
    return value == "true"


def _lock_timeout_ms(path: str, directives: dict[str, str], at: dict[str, int]) -> int | None:
    if "lock-timeout" not in directives:
        return None
    try:
        return parse_duration_ms(directives["lock-timeout"])
    except ValueError as error:
        raise BadMigrationFile(
            f"{path}: lock-timeout {error}",
            hint="write for example -- lock-timeout: 500ms",
            location=Location(path, at["lock-timeout"]),
        ) from None


def _in_order(found: dict[str, Migration]) -> list[Migration]:
    """Dependencies first, otherwise by path: yoyo's own topological sort."""
    if not any(m.depends for m in found.values()):
        return list(found.values())
    from yoyo.topologicalsort import CycleError, topological_sort

    graph = {m.id: m.depends for m in found.values()}
    try:
        return [found[i] for i in topological_sort(found, graph)]
    except CycleError as error:
        circle = _circle(graph, list(error.args[1]))
        raise BadMigrationFile(
            f"migrations depend on each other in a circle: {' → '.join(circle)}",
            hint=f"take one -- depends: out of {', '.join(found[i].path for i in circle[:-1])}",
        ) from None


def _circle(graph: dict[str, tuple[str, ...]], unresolved: list[str]) -> list[str]:
    inside = set(unresolved)
    here, path = unresolved[0], []
    while here not in path:
        path.append(here)
        here = next((d for d in graph[here] if d in inside), here)
    return [*path[path.index(here) :], here]


def load_script(migration: Migration) -> Script:
    """Read the forward file's statements.

    Raise `BadMigrationFile` when the file changed since `read`, or holds what cannot be run as a
    migration: BEGIN, COMMIT, ROLLBACK and their like, psql's backslash commands, COPY data.
    """
    text, checksum = _read_text(migration.path)
    if checksum != migration.checksum:
        raise BadMigrationFile(
            f"{migration.path} was changed while it was being read", hint="run it again when nobody edits the file"
        )
    return Script(migration.path, text, checksum, _statements(migration.path, text))


def load_rollback(migration: Migration) -> Script | None:
    """Read the rollback file's statements; None where there is no such file.  Raise as `load` does."""
    if migration.rollback_path is None:
        return None
    text, checksum = _read_text(migration.rollback_path)
    directives, _ = _directives(migration.rollback_path, text)
    statements = _statements(migration.rollback_path, text)
    return Script(migration.rollback_path, text, checksum, statements, "nothing-to-undo" in directives)


def _statements(path: str, text: str) -> tuple[Statement, ...]:
    spans = _spans(path, text)
    made = []
    line, column, seen = 1, 1, 0
    for start, end in spans:
        newlines = text.count("\n", seen, start)
        if newlines:
            line += newlines
            column = start - (text.rfind("\n", seen, start) + 1) + 1
        else:
            column += start - seen
        seen = start
        statement = Statement(text[start:end], start, line, column)
        _refuse_unrunnable(path, statement)
        if "\\" in text and _READS_BACKSLASHES.match(statement.text):
            _refuse_backslashes(path, text, statement)
        made.append(statement)
    return tuple(made)


# One statement, and nothing in it that could hide a semicolon or another quote: no parser is needed
# to see where it ends, nor the time that importing one takes.
_ALONE_AND_PLAIN = re.compile(
    r"""
    (?:\s+ | --[^\n\r]*(?:[\n\r]|\Z))*+
    (?P<statement> (?:[a-zA-Z_][^;'"$\\/\-]*+ (?:(?:/(?!\*) | -(?!-))[^;'"$\\/\-]*+)*+) (?<!\s) )
    (?: ; (?:\s+ | --[^\n\r]*(?:[\n\r]|\Z))*+ | \s*+ )
    """,
    re.VERBOSE | re.ASCII,
)


def _spans(path: str, text: str) -> list[tuple[int, int]]:
    """Where each statement begins (its first word) and ends, in characters."""
    alone = _ALONE_AND_PLAIN.fullmatch(text)
    if alone is not None:
        return [alone.span("statement")]
    import postgast

    try:
        pieces = postgast.split(text)
    except postgast.PgQueryError:
        return _spans_like_psql(path, text)
    spans = []
    position = 0
    for piece in pieces:
        statement = piece[_skip_blank(piece, 0, len(piece)) :]
        if statement:
            while (position := _skip_blank(text, position, len(text))) < len(text) and text[position] == ";":
                position += 1
            start = text.index(statement, position)  # not before: a comment may hold the same words
            position = start + len(statement)
            spans.append((start, position))
    _refuse_left_over(path, text, spans)
    return spans


# Blank is what PostgreSQL takes for it: a no-break space is part of a word there.
_BLANK = re.compile(r"(?:\s+|--[^\n\r]*)+", re.ASCII)


def _skip_blank(text: str, start: int, end: int) -> int:
    """The first place from ``start`` on that is neither white space nor a comment."""
    while start < end:
        match = _BLANK.match(text, start, end)
        if match:
            start = match.end()
        elif text.startswith("/*", start):
            closed = _skip_block_comment(text, start)
            if closed < 0:
                return start
            start = closed
        else:
            return start
    return end


def _refuse_left_over(path: str, text: str, spans: list[tuple[int, int]]) -> None:
    """Between and after the statements stand only semicolons, blanks and comments, each closed.

    PostgreSQL's parser takes the end of the file for the end of a comment; statements in it would
    be lost without a word.
    """
    for start, end in zip([0, *(e for _, e in spans)], [*(s for s, _ in spans), len(text)], strict=True):
        while (start := _skip_blank(text, start, end)) < end:
            if text[start] != ";":
                line = text.count("\n", 0, start) + 1
                what = "a comment begins that is never closed" if text.startswith("/*", start) else "no statement"
                raise BadMigrationFile(
                    f"{path}:{line}: {what}: {text[start : start + 40].splitlines()[0]}",
                    hint="close it with */, or remove it",
                    location=Location(path, line, start - (text.rfind("\n", 0, start) + 1) + 1),
                )
            start += 1


_COMMENT_MARK = re.compile(r"/\*|\*/")


def _skip_block_comment(text: str, start: int) -> int:
    """The end of a block comment, nested ones counted, as PostgreSQL nests them; -1 where it has none."""
    depth = 0
    for match in _COMMENT_MARK.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return -1


# A word is ASCII letters, "_" and all beyond ASCII, then digits and "$" too; the classes say what it is not,
# because one that reaches to U+10FFFF takes milliseconds to compile.
_TOKEN = re.compile(
    r"""
      (?P<space>\s+|--[^\n\r]*)
    | (?P<block>/\*)
    | (?P<escaped>[eE]'(?:[^'\\]|\\.|'')*(?:'|\Z))
    | (?P<string>'(?:[^']|'')*(?:'|\Z))
    | (?P<quoted>"(?:[^"]|"")*(?:"|\Z))
    | (?P<dollar>\$(?:[^\x00-@\[-^`{-\x7f][^\x00-/:-@\[-^`{-\x7f]*)?\$)
    | (?P<word>[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*)
    | (?P<number>\d[\w.]*)
    | (?P<mark>.)
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Kind, start and end of each token; block comments and dollar quotes in one piece."""
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        assert match is not None and match.lastgroup is not None
        kind, end = match.lastgroup, match.end()
        if kind == "block":
            end = _skip_block_comment(text, position)
            end = len(text) if end < 0 else end
        elif kind == "dollar":
            closing = text.find(match.group(), end)
            end = len(text) if closing < 0 else closing + len(match.group())
        yield kind, position, end
        position = end


def _first_words(text: str, count: int) -> Iterator[str]:
    for kind, start, end in _tokens(text):
        if kind in ("space", "block"):
            continue
        if kind not in ("word", "quoted") or count == 0:
            return
        count -= 1
        yield text[start:end].upper() if kind == "word" else text[start:end]


def _spans_like_psql(path: str, text: str) -> list[tuple[int, int]]:
    """Split a text that the parser does not know (a newer server's syntax) as psql would.

    A semicolon ends a statement unless it stands in quotes, a comment, brackets or the body of
    ``BEGIN ATOMIC``; see psql's ``psqlscan.l``.  Raise `BadMigrationFile` at a backslash command
    or at COPY data, where psql would leave SQL.
    """
    spans: list[tuple[int, int]] = []
    start: int | None = None
    depth = begins = 0
    words: list[str] = []
    last_end = 0
    for kind, begin, end in _tokens(text):
        if kind in ("space", "block"):
            continue
        mark = text[begin] if kind == "mark" else ""
        if mark == "\\" and not (depth or begins):
            line = text.count("\n", 0, begin) + 1
            command = text[begin : text.find("\n", begin) if "\n" in text[begin:] else len(text)].split(" ")[0]
            raise BadMigrationFile(
                f"{path}:{line}: {command} is a command of psql, not SQL",
                hint="write what it does as SQL; \\i becomes a migration of its own, \\copy an INSERT",
                location=Location(path, line, 1),
            )
        if mark == ";" and depth <= 0 and begins == 0:
            if start is not None:
                spans.append((start, last_end))
                if words[:1] == ["COPY"] and _is_copy_to_client(text[start:last_end]):
                    _refuse_copy(path, text.count("\n", 0, start) + 1)
            start, words, depth = None, [], 0
            continue
        if start is None:
            start = begin
        last_end = end
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth -= 1
        elif kind == "word":
            word = text[begin:end].upper()
            if word in ("BEGIN", "CASE") and words[:1] == ["CREATE"] and depth == 0:
                begins += 1 if word == "BEGIN" or begins else 0
            elif word == "END" and begins:
                begins -= 1
            words.append(word)
    if start is not None:
        spans.append((start, last_end))
    _refuse_left_over(path, text, spans)
    return spans


_REFUSED_FIRST = frozenset({"BEGIN", "START", "COMMIT", "END", "ABORT"})
_LOOKED_AT_FIRST = _REFUSED_FIRST | {"ROLLBACK", "PREPARE", "COPY"}


def _refuse_unrunnable(path: str, statement: Statement) -> None:
    first = next(_first_words(statement.text, 1), "")
    if first not in _LOOKED_AT_FIRST:
        return
    words = statement.words
    ends_transaction = (
        first in _REFUSED_FIRST
        or (first == "ROLLBACK" and not _rolls_back_to_savepoint(words))
        or (first == "PREPARE" and words[1:2] == ("TRANSACTION",))
    )
    if ends_transaction:
        raise BadMigrationFile(
            f"{path}:{statement.line}: {_words_shown(words)} begins or ends a transaction, "
            "which a migration must not do",
            hint="remove it: each migration and its record are one transaction already; "
            "for statements that cannot run in one, begin the file with -- transactional: false",
            location=Location(path, statement.line, statement.column),
        )
    if first == "COPY" and _is_copy_to_client(statement.text):
        _refuse_copy(path, statement.line, statement.column)


_READS_BACKSLASHES = re.compile(
    r"""\ASET\s+(?:LOCAL\s+|SESSION\s+)?"?standard_conforming_strings"?\s*(?:=|\bTO\b)
        \s*'?(?:off?|false|no?|0)'?\s*\Z""",
    re.VERBOSE | re.IGNORECASE,
)


def _refuse_backslashes(path: str, text: str, statement: Statement) -> None:
    if "\\" in text[statement.offset :]:
        raise BadMigrationFile(
            f"{path}:{statement.line}: with standard_conforming_strings off a backslash in a string is an escape, "
            "and where statements end could not be told",
            hint="remove it, and write E'…' where a string has escapes",
            location=Location(path, statement.line, statement.column),
        )


def _rolls_back_to_savepoint(words: tuple[str, ...]) -> bool:
    rest = [w for w in words[1:] if w not in ("WORK", "TRANSACTION")]
    return rest[:1] == ["TO"]


def _words_shown(words: tuple[str, ...]) -> str:
    both = " ".join(words[:2])
    return both if both in ("START TRANSACTION", "PREPARE TRANSACTION", "COMMIT PREPARED") else words[0]


def _is_copy_to_client(text: str) -> bool:
    words = [text[b:e].upper() for kind, b, e in _tokens(text) if kind == "word"]
    pairs = list(zip(words, words[1:], strict=False))
    return ("FROM", "STDIN") in pairs or ("TO", "STDOUT") in pairs or ("TO", "STDIN") in pairs


def _refuse_copy(path: str, line: int, column: int = 1) -> None:
    raise BadMigrationFile(
        f"{path}:{line}: COPY from or to the client has no data stream in a migration",
        hint="write INSERT … VALUES, or COPY … FROM a file that the server can read "
        "(pg_dump --inserts writes a dump that way)",
        location=Location(path, line, column),
    )


def new_migration(directory: Path | str, message: str, *, today: datetime.date | None = None) -> tuple[Path, Path]:
    """Write an empty migration and its rollback file, named as yoyo names them; return both paths.

    It depends on the present heads.  The folder is made if it is not there.  Raise
    `BadMigrationFile` when the message has nothing to name a file by.
    """
    folder = Path(directory)
    plain = unicodedata.normalize("NFKD", message).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
    if not slug:
        raise BadMigrationFile(
            "a migration needs a few words that say what it does", hint='wflo-schema new "add a column"'
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadMigrationFile(f"cannot make the folder {folder}: {error.strerror}") from None
    existing = read_migrations(folder)
    day = (today or datetime.date.today()).strftime("%Y%m%d")
    used = [int(m[1]) for i in existing if (m := re.match(rf"{day}_(\d+)", i.id))]
    number = max(used, default=0) + 1
    stem = f"{day}_{number:02}_{secrets.token_hex(3)[:5]}-{slug}"
    parents = {d for m in existing for d in m.depends}
    heads = sorted(m.id for m in existing if m.id not in parents and not re.search(r"\s", m.id))
    if not any(m.depends for m in existing):
        heads = heads[-1:]
    title = " ".join(message.split())
    forward, back = folder / f"{stem}.sql", folder / f"{stem}.rollback.sql"
    try:
        forward.write_text(
            f"-- {title}\n-- depends: {' '.join(heads)}\n\n" if heads else f"-- {title}\n\n", encoding="utf-8"
        )
        back.write_text(
            f"-- undo: {title}\n-- (write what takes it back, or: -- nothing-to-undo: why)\n\n", encoding="utf-8"
        )
    except OSError as error:
        raise BadMigrationFile(f"cannot write into {folder}: {error.strerror}") from None
    return forward, back


def counted(many: Sized, one: str, more: str) -> str:
    """How many there are, and what: ``one`` or ``more``."""
    return f"{len(many)} {one if len(many) == 1 else more}"


def some(ids: Iterable[str], most: int = 5) -> str:
    """A few ids in words, and how many more there are."""
    listed = list(ids)
    rest = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {rest} more" if rest > 0 else "")

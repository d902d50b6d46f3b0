"""What one file says: its text, split into statements by PostgreSQL's own parser, each with its place."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from wflo_schema.errors import BadMigrationFile
from wflo_schema.findings import Location


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


def split_statements(path: str, text: str) -> tuple[Statement, ...]:
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

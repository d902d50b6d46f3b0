"""What one file says: its text, split into statements by PostgreSQL's own parser, each with its place."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import islice, pairwise, takewhile

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.tokens import skip_blank, tokens
from wflo_schema.findings import Location

_WORDS_SHOWN = 8
# Words that only blanks divide, and behind them nothing that hides another: no comment, no E'…', no U&"…".  They
# are read without the scanner, whose import takes time.  A word is ASCII letters, "_" and all beyond ASCII, then
# digits and "$" too; the classes say what it is not, because one that reaches to U+10FFFF takes milliseconds to
# compile.
_PLAIN_WORD = r"""(?:[^\x00-@\[-^`{-\x7f][^\x00-\#%-/:-@\[-^`{-\x7f]*+|"[^"]++")"""
_PLAIN_HEAD = re.compile(
    rf"""{_PLAIN_WORD}(?:\s++{_PLAIN_WORD}){{0,{_WORDS_SHOWN - 1}}}+(?!\s*+(?:--|/\*|["'&]))""", re.ASCII
)
_EACH_WORD = re.compile(_PLAIN_WORD)


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
        head = _PLAIN_HEAD.match(self.text)
        if head:
            found = _EACH_WORD.findall(head.group())
        else:
            taken = takewhile(lambda token: token.kind in ("word", "quoted"), tokens(self.text))
            found = [token.text for token in islice(taken, _WORDS_SHOWN)]
        return tuple(word if '"' in word else word.upper() for word in found)

    @property
    def first_word(self) -> str:
        """The first of its words, or nothing."""
        match = _EACH_WORD.match(self.text)
        return match.group().upper() if match else ""


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
    has_backslash = "\\" in text
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
        if has_backslash and statement.first_word in ("SET", "SELECT") and _reads_backslashes(statement.text):
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
    spans: list[tuple[int, int]] = []
    position = 0
    for piece in pieces:
        blank = skip_blank(piece, 0, len(piece))
        if blank == len(piece):
            continue
        start = position + bool(spans)  # behind a semicolon
        if text.startswith(piece, start):
            start += blank
        else:
            while (position := skip_blank(text, position, len(text))) < len(text) and text[position] == ";":
                position += 1
            start = text.index(piece[blank:], position)  # not before: a comment may hold the same words
        position = start + len(piece) - blank
        spans.append((start, position))
    _refuse_left_over(path, text, position)
    return spans


def _refuse_left_over(path: str, text: str, start: int) -> None:
    """Raise `BadMigrationFile` unless only semicolons, blanks and closed comments follow the last statement.

    PostgreSQL's parser takes the end of the file for the end of a comment; statements in it would
    be lost without a word.
    """
    while (start := skip_blank(text, start, len(text))) < len(text):
        if text[start] != ";":
            line = text.count("\n", 0, start) + 1
            what = "this comment is never closed" if text.startswith("/*", start) else "this is no statement"
            raise BadMigrationFile(
                f"{path}:{line}: {what}: {text[start : start + 40].splitlines()[0]}",
                hint="close it with */, or remove it",
                location=Location(path, line, start - (text.rfind("\n", 0, start) + 1) + 1),
            )
        start += 1


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
    for kind, written, begin, end in tokens(text):
        if kind == "open" and written.startswith("/*"):
            break  # `_refuse_left_over` refuses it
        mark = written if kind == "sign" else ""
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
            word = written.upper()
            if word in ("BEGIN", "CASE") and words[:1] == ["CREATE"] and depth == 0:
                begins += 1 if word == "BEGIN" or begins else 0
            elif word == "END" and begins:
                begins -= 1
            words.append(word)
    if start is not None:
        spans.append((start, last_end))
    _refuse_left_over(path, text, last_end)
    return spans


_REFUSED_FIRST = frozenset({"BEGIN", "START", "COMMIT", "END", "ABORT"})
_LOOKED_AT_FIRST = _REFUSED_FIRST | {"ROLLBACK", "PREPARE", "COPY"}


def _refuse_unrunnable(path: str, statement: Statement) -> None:
    first = statement.first_word
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


_STRINGS = "standard_conforming_strings"


def _reads_backslashes(text: str) -> bool:
    """Does it switch standard_conforming_strings off, by SET or set_config()?"""
    said = [(t.value or t.text.strip('"')).lower() for t in tokens(text)] if _STRINGS in text.lower() else []
    value = said[said.index(_STRINGS) + 2 :][:1] if _STRINGS in said else []
    return value == ["0"] or any(word.startswith(v) for v in value for word in ("off", "false", "no"))


def _refuse_backslashes(path: str, text: str, statement: Statement) -> None:
    if "\\" in text[statement.offset :]:
        raise BadMigrationFile(
            f"{path}:{statement.line}: with standard_conforming_strings off a backslash in a string is an escape, "
            "so it is not certain where statements end",
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
    pairs = set(pairwise(token.text.upper() for token in tokens(text) if token.kind == "word"))
    return ("FROM", "STDIN") in pairs or ("TO", "STDOUT") in pairs or ("TO", "STDIN") in pairs


def _refuse_copy(path: str, line: int, column: int = 1) -> None:
    raise BadMigrationFile(
        f"{path}:{line}: COPY from or to the client has no data stream in a migration",
        hint="write INSERT … VALUES, or COPY … FROM a file that the server can read "
        "(pg_dump --inserts writes a dump that way)",
        location=Location(path, line, column),
    )

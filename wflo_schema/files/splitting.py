"""Where each statement of a file begins and ends: as psql finds it, in one pass over the file's bytes.

Hides the quotes, comments and brackets in which a semicolon ends nothing (psql's ``psqlscan.l``), and what stands
between statements without being one: the data of a COPY, and the few commands of psql that mean nothing here.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from wflo_schema.errors import BadMigrationFile
from wflo_schema.findings import Location

_START, _PART = rb"[A-Za-z_\x80-\xff]", rb"[A-Za-z0-9_$\x80-\xff]"
_BEHIND_E = rb"[^A-Za-z0-9_$\x80-\xff][eE]"
_TAG = rb"(?:[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+)?"
# What hides what is in it, as patterns.
LINE_COMMENT = rb"--[^\n\r]*+"
COMMENT = rb"/\*(?:[^*/]++|\*(?!/)|/(?!\*))*+\*/"  # without another one in it
_ESCAPED = rb"'(?:[^'\\]++|\\[\s\S]|'')*+'"
_GOES_ON = rb"(?:[ \t\f\v]++|" + LINE_COMMENT + rb")*+[\n\r](?:\s++|" + LINE_COMMENT + rb")*+"
QUOTED = (
    rb"(?<=" + _BEHIND_E + rb")" + _ESCAPED + rb"(?:" + _GOES_ON + _ESCAPED + rb")*+"  # E'…', and more in the next line
    rb"|(?<!" + _BEHIND_E + rb")'[^']*+'"
    rb'|"[^"]*+"'
    rb"|(?<!" + _PART + rb")\$(?P<tag>" + _TAG + rb")\$[\s\S]*?\$(?P=tag)\$"
)
_SIGN = rb"-(?!-)|/(?!\*)|(?<=" + _PART + rb")\$|\$(?!" + _TAG + rb"\$)"
_TOKEN = rb"(?:" + rb"""[^;'"$\\/\-]*[^\s;'"$\\/\-]""" + rb"|" + QUOTED + rb"|" + _SIGN + rb")"
GAP = rb"(?:\s++|" + LINE_COMMENT + rb"|" + COMMENT + rb")*+"

_BETWEEN = re.compile(rb"(?:[\s;]++|" + LINE_COMMENT + rb"|" + COMMENT + rb")*+")
_STATEMENT = re.compile(rb"(?P<all>(?P<first>" + _START + _PART + rb"*+)?+(?:" + GAP + _TOKEN + rb")*+)" + GAP)
_MORE = re.compile(rb"(?P<all>(?:" + GAP + _TOKEN + rb")*+)" + GAP)
_COMMENT_MARK = re.compile(rb"/\*|\*/")

# What tells where a statement ends that may have semicolons inside: all else is passed over.
_MARKS = (
    QUOTED + rb"|" + LINE_COMMENT + rb"|" + COMMENT + rb"|(?P<nested>/\*)|(?P<mark>[();])|(?P<open>['\"\\])"
    rb"|" + _PART + rb"++"
)
_MARK = re.compile(_MARKS)
_MARK_OR_WORD = re.compile(_MARKS.replace(rb"|" + _PART + rb"++", rb"|(?P<word>" + _PART + rb"++)"))
_HAS_INSIDE = re.compile(rb"\b(?:RULE|ATOMIC)\b", re.IGNORECASE)
_ATOMIC = re.compile(GAP + rb"ATOMIC\b", re.IGNORECASE)

_COMMAND = re.compile(rb"\\(?P<name>[^\s\\]*+)[ \t]*+(?P<rest>[^\n]*+)")
# What pg_dump writes, and what is so here anyway.
_NO_MATTER = re.compile(
    rb"\\(?:(?:un)?restrict[ \t]++\S++|set[ \t]++ON_ERROR_STOP(?:[ \t]++(?:on|1|true|yes))?)\s*+", re.IGNORECASE
)

_HIDING = re.compile(rb"(?P<comment>" + LINE_COMMENT + rb"|" + COMMENT + rb")|(?P<nested>/\*)|(?:" + QUOTED + rb")")
_BRACKETS = re.compile(r"\([^()]*+\)")
_FROM_CLIENT = re.compile(r"\bFROM\s+STDIN\b", re.IGNORECASE)
_TO_CLIENT = re.compile(r"\bTO\s+(?:STDOUT|STDIN)\b", re.IGNORECASE)
_REST_OF_LINE = re.compile(rb"[ \t\f\v\r;]*+(?:" + LINE_COMMENT + rb")?\r?(?:\n|\Z)")


class Piece(NamedTuple):
    """One statement: where it begins and ends, in bytes, its first word in upper case, and a COPY's data."""

    start: int
    end: int
    first: bytes
    data: tuple[int, int] | None


def pieces(path: str, source: bytes) -> Iterator[Piece]:
    """The statements of a file.

    Raise `BadMigrationFile` at a comment that is never closed, at commands of psql other than those that pg_dump
    writes, and at COPY without its data or to the client.
    """
    position, length = 0, len(source)
    while True:
        position = _skip_between(path, source, position)
        if position >= length:
            return
        if source[position] == _BACKSLASH:
            position = _command(path, source, position)
            continue
        found = _STATEMENT.match(source, position)
        assert found is not None
        first, end, after = (found["first"] or b"").upper(), found.end("all"), found.end()
        if after < length and source[after] != _SEMICOLON:
            end, after = _go_on(path, source, end, after)
        is_create = first == b"CREATE"
        # outside of CREATE a semicolon in brackets is an error, wherever the statement is taken to end
        if (is_create and _HAS_INSIDE.search(source, position, end)) or (
            (is_create or end - position <= _LOOKED_INTO)
            and source.count(b"(", position, end) != source.count(b")", position, end)
        ):
            end, after = _end_outside(path, source, position, is_create=is_create)
        data = None
        if first == b"COPY":
            data = _copy_data(path, source, position, end, after)
        yield Piece(position, end, first, data)
        position = after if data is None else _behind(source, data[1])


_BACKSLASH, _SEMICOLON = b"\\;"
_LOOKED_INTO = 100_000


def _skip_between(path: str, source: bytes, position: int) -> int:
    """The first place that is no blank, comment or semicolon."""
    while True:
        found = _BETWEEN.match(source, position)
        assert found is not None
        position = found.end()
        if not source.startswith(b"/*", position):
            return position
        position = behind_comment(path, source, position)


def behind_comment(path: str, source: bytes, start: int) -> int:
    """Behind a comment that has others in it, as PostgreSQL nests them."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(source, start):
        depth += 1 if mark.group() == b"/*" else -1
        if depth == 0:
            return mark.end()
    # PostgreSQL takes the end of the file for the end of a comment; statements in it would be lost without a word.
    shown = source[start : start + 40].decode("utf-8", "ignore").splitlines()[0]
    raise refusal(
        path,
        source,
        start,
        f"this comment is never closed: {shown}",
        hint="close it with */, or remove it",
    )


def comments(path: str, source: bytes, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Where each comment of a part begins and ends; those in quotes and in other comments are none.

    Raise `BadMigrationFile` at one that is never closed.
    """
    while (found := _HIDING.search(source, start, stop)) is not None:
        start = behind_comment(path, source, found.start()) if found["nested"] else found.end()
        if found["nested"] or found["comment"]:
            yield found.start(), start


def strings(source: bytes) -> Iterator[bytes]:
    """What stands in quotes in a statement, quotes included; comments are passed over."""
    return (m.group() for m in _HIDING.finditer(source) if not m["comment"] and not m["nested"])


def _go_on(path: str, source: bytes, end: int, after: int) -> tuple[int, int]:
    """The end of a statement that has a nested comment, a quote without end or a command of psql in it."""
    length = len(source)
    while after < length and source[after] != _SEMICOLON:
        if source.startswith(b"/*", after):
            after = behind_comment(path, source, after)
        elif source[after] == _BACKSLASH:
            _command(path, source, after, is_inside=True)
        else:  # a quote without end takes all that follows, as it does for PostgreSQL
            return length, length
        found = _MORE.match(source, after)
        assert found is not None
        end, after = found.end("all") if found["all"] else end, found.end()
    return end, after


def _end_outside(path: str, source: bytes, start: int, *, is_create: bool) -> tuple[int, int]:
    """Where a statement ends: at a semicolon outside of brackets and of the body of BEGIN ATOMIC."""
    depth = begins = 0
    position, marks = start, _MARK_OR_WORD if is_create else _MARK
    while (found := marks.search(source, position)) is not None:
        position = found.end()
        mark, word = found["mark"], found["word"] if is_create else None
        if mark == b"(":
            depth += 1
        elif mark == b")":
            depth -= 1
        elif mark == b";" and depth <= 0 and begins == 0:
            return _trimmed(path, source, start, found.start()), found.start()
        elif found["nested"]:
            position = behind_comment(path, source, found.start())
        elif found["open"] == b"\\":
            _command(path, source, found.start(), is_inside=True)
        elif found["open"]:
            return len(source), len(source)
        elif word is not None and depth <= 0:
            word = word.upper()
            if (word == b"BEGIN" and (begins or _ATOMIC.match(source, position))) or (word == b"CASE" and begins):
                begins += 1
            elif word == b"END" and begins:
                begins -= 1
    return _trimmed(path, source, start, len(source)), len(source)


def _trimmed(path: str, source: bytes, start: int, stop: int) -> int:
    """The end of the last token before ``stop``."""
    end = position = start
    while position < stop:
        found = _MORE.match(source, position, stop)
        assert found is not None
        end, position = found.end("all") if found["all"] else end, found.end()
        if source.startswith(b"/*", position):
            position = behind_comment(path, source, position)
        elif position < stop:  # a semicolon inside of it
            end = position = position + 1
    return end


def _command(path: str, source: bytes, start: int, *, is_inside: bool = False) -> int:
    """Behind a command of psql that means nothing here; raise `BadMigrationFile` at any other."""
    found = _COMMAND.match(source, start)
    assert found is not None
    if not is_inside and _NO_MATTER.fullmatch(found.group()):
        return found.end()
    name = "\\" + found["name"].decode("utf-8", "replace")
    hint = "write what it does as SQL; \\i becomes a migration of its own, \\copy a COPY … FROM stdin with its data"
    what = f"{name} is a command of psql, not SQL"
    if name == "\\.":
        what, hint = "\\. ends the data of a COPY, and there is none", "remove the line, or bring the COPY back"
    elif name in ("\\connect", "\\c"):
        hint = "a migration stays in one database: remove it (pg_dump writes it for --create alone)"
    elif name == "\\set" and b"ON_ERROR_STOP" in found["rest"]:
        hint = "remove it: a migration stops at its first error"
    raise refusal(path, source, start, what, hint=hint)


def _copy_data(path: str, source: bytes, start: int, end: int, after: int) -> tuple[int, int] | None:
    """Where the data of a COPY … FROM stdin begins and ends; None for a COPY of the server's own files."""
    words = bare(source[start:end])
    while (less := _BRACKETS.sub(" ", words)) != words:
        words = less
    if _TO_CLIENT.search(words):
        raise refusal(
            path,
            source,
            start,
            "COPY to the client has nowhere to go in a migration",
            hint="remove it, or write COPY … TO a file on the server",
        )
    if not _FROM_CLIENT.search(words):
        return None
    line = _REST_OF_LINE.match(source, after)
    if line is None:
        raise refusal(
            path,
            source,
            after,
            "the data of COPY … FROM stdin begins in the next line, and this line goes on",
            hint="begin a new line for what follows the data",
        )
    begin = line.end()
    if source.startswith(b"\\.", begin) and source[begin + 2 : begin + 3] in (b"", b"\n"):
        return begin, begin
    stop = begin - 1
    while (stop := source.find(b"\n\\.", stop + 1)) >= 0:
        if source[stop + 3 : stop + 4] in (b"", b"\n"):
            return begin, stop + 1
    raise refusal(
        path,
        source,
        start,
        "the data of this COPY … FROM stdin has no end",
        hint="write its rows below it, and after them a line with \\. alone; or write INSERT … VALUES",
    )


def bare(text: bytes) -> str:
    """A text without its comments (those in others stay), and with nothing in its quotes."""
    hidden = _HIDING.sub(lambda found: b" " if found["comment"] else found["nested"] or b" '' ", text)
    return hidden.decode("utf-8", "replace").strip()


def _behind(source: bytes, end: int) -> int:
    return min(end + 2, len(source))  # the \. itself


def refusal(path: str, source: bytes, at: int, what: str, *, hint: str) -> BadMigrationFile:
    """The error for a place in a file, given in bytes."""
    line, column = place(source, at)
    source, at = as_written(source, at)
    begin, end = source.rfind(b"\n", 0, at) + 1, source.find(b"\n", at)
    shown = source[begin : end if end >= 0 else len(source)].decode("utf-8", "replace")
    return BadMigrationFile(
        f"{path}:{line}: {what}", hint=hint, location=Location(path, line, column), source_line=shown
    )


class Rewritten(bytes):
    """What a file says once other texts stand in some of its places; `place` tells where that is in the file.

    ``written`` is the file's own text.  ``parts``: for each such text where it begins and ends here, and what it
    stands for begins and ends there.
    """

    written: bytes
    parts: tuple[tuple[int, int, int, int], ...]

    @classmethod
    def of(cls, written: bytes, instead: Sequence[tuple[int, int, bytes]]) -> Rewritten:
        """The same with texts in places that are given in order: begin, end, text."""
        made, done, parts = bytearray(), 0, []
        for start, end, text in instead:
            made += written[done:start]
            parts.append((len(made), len(made) + len(text), start, end))
            made += text
            done = end
        made += written[done:]
        source = cls(made)
        source.written, source.parts = written, tuple(parts)
        return source

    def at(self, written: int) -> int:
        """Where that place of the file is here; no place inside of what was replaced."""
        number = bisect_right(self.parts, written, key=lambda part: part[3]) - 1
        return written if number < 0 else self.parts[number][1] + written - self.parts[number][3]

    def origin(self, at: int) -> int:
        """The place of the file that a place here is, or stands for."""
        number = bisect_right(self.parts, at, key=lambda part: part[0]) - 1
        if number < 0:
            return at
        _, end, old_start, old_end = self.parts[number]
        return old_start if at < end else old_end + at - end


def as_written(source: bytes, at: int = 0) -> tuple[bytes, int]:
    """The text of the file, whatever stands in its places now, and a place in it."""
    while isinstance(source, Rewritten):
        at, source = source.origin(at), source.written
    return source, at


def place(source: bytes, at: int) -> tuple[int, int]:
    """The line and column, from 1, of a place in bytes; a column is one character."""
    source, at = as_written(source, at)
    line = source.count(b"\n", 0, at) + 1
    begin = source.rfind(b"\n", 0, at) + 1
    return line, len(source[begin:at].decode("utf-8", "replace")) + 1

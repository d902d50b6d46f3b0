"""Where other tools cut a file into the messages that they send: at each semicolon, or at an end of their own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache

# What an end in it does not end: quotes, bodies, comments.  One that is never closed takes all that follows.
_WHOLE = (
    rb"(?<![\w$])[eE]'(?:[^'\\]|\\.|'')*'"
    rb"|'[^']*'"
    rb'|"[^"]*"'
    rb"|(?<![\w$])\$(?P<tag>(?:[A-Za-z_\x80-\xff][\w\x80-\xff]*)?)\$(?:.*?\$(?P=tag)\$|.*\Z)"
    rb"|--[^\n]*"
    rb"|/\*(?:.*?\*/|.*\Z)"
    rb"|\bBEGIN\s++ATOMIC\s(?:.*?;\s*+END\b|.*\Z)"
)


@cache
def _marks(end: bytes) -> re.Pattern[bytes]:
    return re.compile(b"(?P<end>" + re.escape(end) + b")|(?P<bracket>[()])|" + _WHOLE, re.DOTALL | re.IGNORECASE)


def cut_at(end: bytes = b";") -> Callable[[bytes], tuple[bytes, ...]]:
    """What cuts a text behind each ``end`` that stands in no quotes, brackets, body or comment."""

    def cut(text: bytes) -> tuple[bytes, ...]:
        return tuple(piece for piece in _cut(text, end) if piece)

    return cut


def cut_as(messages: Sequence[bytes]) -> Callable[[bytes], Sequence[bytes]]:
    """What cuts a text into these messages, as they stood in its file, whatever was made of it since."""
    return lambda _: messages


def _cut(text: bytes, end: bytes) -> Iterator[bytes]:
    start, depth = 0, 0
    for mark in _marks(end).finditer(text):
        if mark["bracket"]:
            depth = max(depth + (1 if mark["bracket"] == b"(" else -1), 0)
        elif mark["end"] is not None and depth == 0:
            yield text[start : mark.end()].strip()
            start = mark.end()
    yield text[start:].strip()


def joined(pieces: Iterable[bytes]) -> bytes:
    """Pieces that another tool sends one by one, as one text in which a semicolon ends each that needs it."""
    return b"".join(ended(piece.rstrip()) + b"\n" for piece in pieces if piece.strip())


def ended(piece: bytes) -> bytes:
    """The piece, with a semicolon behind its last statement, before a comment that follows."""
    last = None
    for mark in re.finditer(_WHOLE + rb"|(?P<other>\S)", piece, re.DOTALL | re.IGNORECASE):
        if not mark[0].startswith((b"--", b"/*")):
            last = mark
    if last is None or last[0] == b";":
        return piece
    return piece[: last.end()] + b";" + piece[last.end() :]

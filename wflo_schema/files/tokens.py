"""SQL and PL/pgSQL as PostgreSQL's own scanner reads them: words, texts and signs, without blanks and comments."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# What the scanner is given at once, in characters: little at first, as the first words are often all that is
# asked for, then more, up to what fits easily into memory.
_FIRST_LOOK = 1_000
_LONGEST_LOOK = 1 << 18

# The scanner decodes the escapes of E'…', too, and refuses some that the server takes (E'\xff' in LATIN1).  Where
# a text ends does not depend on them.
_CODED = re.compile(r"(?<=\\)[0-7xXuU]")
# What another version of the server reads otherwise: in 14, 12abc is a number and its alias.
_NUMBER = re.compile(r"\d[\w.]*", re.ASCII)

# Blank is what PostgreSQL takes for it: a no-break space is part of a word there.
_BLANK = re.compile(r"(?:\s+|--[^\n\r]*)+", re.ASCII)
_COMMENT_MARK = re.compile(r"/\*|\*/")

# The escapes of U&"…"; a UESCAPE clause behind it, which names another sign than the backslash, is not read.
_CODE_POINT = re.compile(r"\\(?:\+([0-9a-fA-F]{6})|([0-9a-fA-F]{4})|(.))", re.DOTALL)
_PLAIN_TEXT = re.compile(r"[eE]?'(?P<quoted>(?:[^'\\]|'')*)'|(?P<tag>\$[^$]*\$)(?P<body>.*)(?P=tag)", re.DOTALL)


class Token(NamedTuple):
    """One token.  ``kind``: word, quoted (identifier), text, sign (or number), or open: never closed, or no SQL."""

    kind: str
    text: str
    start: int
    end: int

    @property
    def name(self) -> str:
        """The identifier that a word (in lower case) or quoted is; empty for what is none."""
        if self.kind != "quoted":
            return self.text.lower() if self.kind == "word" else ""
        inner = self.text[self.text.index('"') + 1 : -1].replace('""', '"')
        if self.text[0] == '"':
            return inner
        return _CODE_POINT.sub(lambda m: m[3] or chr(int(m[1] or m[2], 16) % 0x110000), inner)

    @property
    def value(self) -> str | None:
        """What a text says; None where that depends on escapes or settings, and for whatever is no text."""
        match = _PLAIN_TEXT.fullmatch(self.text) if self.kind == "text" else None
        if match is None:
            return None
        return match["body"] if match["quoted"] is None else match["quoted"].replace("''", "'")


def tokens(text: str) -> Iterator[Token]:
    """Scan no further than the tokens that are taken, in time linear in the text."""
    start, size = 0, _FIRST_LOOK
    while start < len(text):
        end = text.find("\n", start + size) + 1 or len(text)
        found, reached, fault = _scan(text, start, end)
        if fault == "open" and end < len(text):
            fault = ""  # its end may come
        elif not fault and end < len(text) and found and found[-1].kind == "text":
            reached = found.pop().start  # 'a' and 'b' on the next line are one text
        yield from found
        if fault:
            number = _NUMBER.match(text, reached) if fault == "odd" else None
            after = number.end() if number else len(text)
            yield Token("sign" if number else "open", text[reached:after], reached, after)
            reached = after
        if reached == start or size < _LONGEST_LOOK:
            size *= 2
        start = reached


def _scan(text: str, start: int, end: int) -> tuple[list[Token], int, str]:
    """The tokens of a part, where they end, and what is wrong there: ``open``, ``odd`` or nothing."""
    import postgast

    codes = postgast.pg_query_pb2
    part = _CODED.sub("_", text[start:end])
    fault = ""
    while True:
        try:
            scanned = postgast.scan(part).tokens
            break
        except postgast.PgQueryError as error:
            fault = "open" if error.message.startswith("unterminated") else "odd"
            part = part[: min(max(error.cursorpos - 1, 0), len(part) - 1)]
    kinds = {
        codes.SQL_COMMENT: "",
        codes.C_COMMENT: "",
        codes.UIDENT: "quoted",
        **dict.fromkeys((codes.SCONST, codes.USCONST, codes.BCONST, codes.XCONST), "text"),
    }
    content, done, place = part.encode(), 0, start  # tokens are counted in bytes, the place of an error is not
    found = []
    for one in scanned:
        begin = place + len(content[done : one.start].decode())
        place = begin + len(content[one.start : one.end].decode())
        done = one.end
        written = text[begin:place]
        kind = kinds.get(one.token)
        if kind is None:
            is_word = one.keyword_kind or one.token == codes.IDENT
            kind = "sign" if not is_word else "quoted" if written[0] == '"' else "word"
        if kind:
            found.append(Token(kind, written, begin, place))
    return found, start + len(part) if fault else end, fault


def skip_blank(text: str, start: int, end: int) -> int:
    """The first place from ``start`` on that is neither white space nor in a comment that ends.

    Without the scanner: what stands between statements is all that a long file of them asks for.
    """
    while start < end:
        match = _BLANK.match(text, start, end)
        if match:
            start = match.end()
            continue
        closed = closed_comment(text, start) if text.startswith("/*", start) else start
        if closed == start:
            return start
        start = closed
    return end


def closed_comment(text: str, start: int) -> int:
    """The end of a block comment, nested ones counted, as PostgreSQL nests them; ``start`` where it has none."""
    depth = 0
    for match in _COMMENT_MARK.finditer(text, start):
        depth += 1 if match.group() == "/*" else -1
        if depth == 0:
            return match.end()
    return start

"""Two texts of a catalog: when they mean the same, and how to show a difference that the eye does not see.

Hides what PostgreSQL prints differently for one and the same thing, before and after pg_dump and psql.
"""

from __future__ import annotations

import itertools
import re
import unicodedata

_NAME = r'(?:"(?:[^"]|"")+"|[^\W\d][\w$]*)'

# What a function in FROM, or a join, is called, and its columns.  Those that its type, or a table, got later are
# printed where the view was made again.
_ALIASES = re.compile(rf"(\) (?:WITH ORDINALITY )?(?:AS )?{_NAME})\(({_NAME}(?:, {_NAME})*)\)")

# A name that PostgreSQL itself chose for a NOT NULL, of the table and the column as they were called then.
_CHOSEN = re.compile(r"_not_null\d*\Z")


def common_aliases(have: str, want: str) -> tuple[str, str]:
    """Both texts, each list of column aliases cut to where the shorter one ends, if that is all they differ in."""
    ours, theirs = list(_ALIASES.finditer(have)), list(_ALIASES.finditer(want))
    if len(ours) != len(theirs):
        return have, want
    shorter = []
    for our, their in zip(ours, theirs, strict=True):
        a, b = re.findall(_NAME, our[2]), re.findall(_NAME, their[2])
        length = min(len(a), len(b))
        if a[:length] != b[:length]:
            return have, want
        shorter.append(", ".join(a[:length]))
    for_have, for_want = iter(shorter), iter(shorter)
    return (
        _ALIASES.sub(lambda m: f"{m[1]}({next(for_have)})", have),
        _ALIASES.sub(lambda m: f"{m[1]}({next(for_want)})", want),
    )


# A row of a type that got attributes later: their NULLs are printed with a type where the row was made again.
_ROW = re.compile(r"ROW\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)(?=::)")
_TYPED_NULL = re.compile(r"(?<=, NULL)::[^,()']+(?:\([\d, ]*\)[^,()']*)?(?=[,)])")

# varchar IN (…): the array is cast as a whole at first, and element by element where the text was read again.
_ELEMENT = rf"(?:E?'(?:[^']|'')*'::[a-z ]+(?:\(\d+\))?|{_NAME}(?:\.{_NAME})*)"
_CAST_ARRAY = re.compile(rf"\(ARRAY\[({_ELEMENT}(?:, {_ELEMENT})*)\]\)::([a-z ]+)\[\]")


def _cast_elements(cast: re.Match[str]) -> str:
    return f"ARRAY[{re.sub(_ELEMENT, lambda one: f'({one[0]})::{cast[2]}', cast[1])}]"


# From 16 on, a column of the only table of a view is printed by its name alone.
_TOKEN = re.compile(rf"""'(?:[^']|'')*'|{_NAME}(?:\.(?:{_NAME}|\*))*\(?|\s+|.""")
_BEFORE_NO_COLUMN = ("::", "FROM", "JOIN", "COLLATE", "OPERATOR")


def differ_in_tables_of_columns(have: str, want: str) -> bool:
    """Whether one text only names the table of columns where the other, of another major version, need not."""
    ours, theirs = _TOKEN.findall(have), _TOKEN.findall(want)
    before = ""
    for our, their in itertools.zip_longest(ours, theirs, fillvalue=""):
        is_shorter = their.endswith(f".{our}") or our.endswith(f".{their}")
        is_column = is_shorter and not our.endswith("(") and not before.endswith(_BEFORE_NO_COLUMN)
        if our != their and not is_column:
            return False
        before = (before + our)[-2:] if our == ":" else before if our.isspace() else our
    return True


_NULL = re.compile(r"NULL(::[^()]*(\([\d, ]*\)[^()]*)?)?")

# What is set in whatever order, or listed so.
_TAGS = re.compile(r"(?<= WHEN TAG IN \()[^)]*")


def regular_form(kind: str, attribute: str, text: str) -> str:
    """The text with options, and the tags of an event trigger, by name, and with casts as after pg_dump and psql."""
    if attribute.endswith("options"):
        return ", ".join(sorted(text.split(", ")))
    if kind == "event trigger" and attribute == "definition":
        return _TAGS.sub(lambda m: ", ".join(sorted(m[0].split(", "))), text)
    if kind in ("function", "procedure"):
        return text
    return _CAST_ARRAY.sub(_cast_elements, _ROW.sub(lambda m: _TYPED_NULL.sub("", m[0]), text))


def is_null(default: str | None) -> bool:
    """Whether a column without another default gets NULL: nothing is said, or just that."""
    return default is None or _NULL.fullmatch(default) is not None


def are_chosen(have: str | None, want: str | None) -> bool:
    """Say whether neither name of a NOT NULL was given by a person; None is the one of today."""
    return all(name is None or _CHOSEN.search(name) for name in (have, want))


def differ_in_line_ends(have: str, want: str) -> bool:
    """Whether the two are the same but for CR LF and LF."""
    return have.replace("\r\n", "\n") == want.replace("\r\n", "\n")


def line_ends(text: str) -> str:
    """Say which of the two a text has."""
    return "lines end in CR LF" if "\r\n" in text else "lines end in LF"


def made_visible(have: str, want: str) -> tuple[str, str]:
    """Both texts; where they look alike, each character that does not show is written as an escape."""
    if have == want or _look(have) != _look(want):
        return have, want
    return _escaped(have), _escaped(want)


def _look(text: str) -> str:
    """About what the eye sees."""
    plain = "".join(
        " " if c == "\t" or unicodedata.category(c) == "Zs" else c
        for c in unicodedata.normalize("NFKC", text.replace("\r", ""))
        if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf")
    )
    return "\n".join(line.rstrip() for line in plain.split("\n"))


def _escaped(text: str) -> str:
    lines = []
    for line in text.split("\n"):
        bare = line.rstrip(" ")
        lines.append("".join(map(_escape, bare)) + "\\x20" * (len(line) - len(bare)))
    return "\n".join(lines)


_SHORT = {"\r": "\\r", "\t": "\\t"}


def _escape(character: str) -> str:
    if character in _SHORT:
        return _SHORT[character]
    shows = character == " " or unicodedata.category(character)[0] in "LNPS"
    if shows and unicodedata.normalize("NFKC", character) == character:
        return character
    code = ord(character)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"

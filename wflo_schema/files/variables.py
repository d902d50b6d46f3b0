"""Variables in a file, ``:'name'`` for a literal and ``:"name"`` for an identifier: where they are, and what for.

Hides where a colon, a quote and a word are one, and how a value is quoted so that it stays one literal or one name.
A value is written on one line, whatever it holds.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wflo_schema.errors import BadMigrationFile
from wflo_schema.files.splitting import (
    COMMENT,
    GAP,
    LINE_COMMENT,
    QUOTED,
    Rewritten,
    behind_comment,
    place,
    refusal,
)
from wflo_schema.findings import Location
from wflo_schema.words import listed

# Bytes of a name that PostgreSQL keeps; of a longer one it cuts off the rest.
_LONGEST_NAME = 63

_NAME = rb"[A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*+"
_TAG = rb"(?:" + _NAME + rb")?"
# Words are read whole, because a $ in one begins nothing.
_TOKEN = re.compile(
    rb"(?P<string>(?:" + QUOTED + rb"|\$(?P<mark>" + _TAG + rb")\$[\s\S]*?\$(?P=mark)\$))"
    rb"|(?P<comment>" + LINE_COMMENT + rb"|" + COMMENT + rb")|(?P<nested>/\*)"
    rb"|::|:=|:(?P<quote>['\"])(?P<name>" + _NAME + rb")(?P=quote)(?!(?P=quote))|:(?P<bare>" + _NAME + rb")"
    rb"|[A-Za-z_\x80-\xff][A-Za-z0-9_$\x80-\xff]*+|(?P<bracket>[\[\]])|(?P<open>['\"]|\$" + _TAG + rb"\$)"
)
# Beside these a literal or a name would be read as one with them.
_SPLICES = re.compile(rb"[A-Za-z0-9_$\x80-\xff'\"&]")
_TO_STRING, _BLANK = re.compile(GAP + rb":?'"), re.compile(GAP)
_ESCAPED = {ord("\\"): "\\\\", ord("'"): "''", ord("\n"): "\\n", ord("\r"): "\\r"}
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Use:
    """A variable in a file: its name, the sign that quotes it, and where it begins and ends, in bytes.

    A bare ``:name`` has no sign.  ``is_beside_string``: only blanks are between it and a string, which would go on.
    """

    name: str
    quote: str
    start: int
    end: int
    is_beside_string: bool = False

    @property
    def text(self) -> str:
        """As the file has it."""
        return f":{self.quote}{self.name}{self.quote}"


def find_uses(path: str, source: bytes, start: int, stop: int) -> Iterator[Use]:
    """What looks like a variable in a part of a file, and is in no string, comment or dollar quotes.

    A bare ``:name`` in square brackets is a slice.  Raise `BadMigrationFile` at a comment that is never closed.
    """
    depth, behind = 0, None
    while (found := _TOKEN.search(source, start, stop)) is not None:
        start = behind_comment(path, source, found.start()) if found["nested"] else found.end()
        if found["open"]:
            return  # it takes all that follows
        if found["bracket"]:
            depth += 1 if found["bracket"] == b"[" else -1
        is_literal = found["quote"] == b"'"
        is_string = is_literal or (found["string"] or b"").endswith(b"'")
        if found["name"]:
            is_beside = is_literal and (
                _TO_STRING.match(source, start, stop) is not None
                or (behind is not None and _BLANK.fullmatch(source, behind, found.start()) is not None)
            )
            yield Use(found["name"].decode(), found["quote"].decode(), found.start(), start, is_beside)
        elif found["bare"] and depth <= 0:
            yield Use(found["bare"].decode(), "", found.start(), start)
        if is_string:
            behind = start


def substitute(
    path: str, source: bytes, found: Sequence[Use], names: Collection[str], values: Mapping[str, str]
) -> Rewritten:
    """The file's text with these values in the places of these names.

    Raise `BadMigrationFile` for a name that has no value, or one that PostgreSQL cannot take.
    """
    instead = []
    for use in found:
        if not use.quote or use.name not in names:
            continue
        if use.name not in values:
            raise refusal(path, source, use.start, f"the variable {use.name} has no value", hint=how_to_give(use.name))
        try:
            text = (quote_literal if use.quote == "'" else quote_identifier)(values[use.name]).encode()
        except ValueError as error:
            what = f"the value of the variable {use.name} {error}"
            raise refusal(path, source, use.start, what, hint=how_to_give(use.name)) from None
        before = b" " if _SPLICES.match(source, use.start - 1) and use.start else b""
        instead.append((use.start, use.end, before + text + (b" " if _SPLICES.match(source, use.end) else b"")))
    return Rewritten.of(source, instead)


def how_to_give(*names: str) -> str:
    """What to type or write, so that variables have values."""
    typed = " ".join(f"--set {name}=VALUE" for name in names)
    return f"give {typed}; or in the table [variables] of the settings file; or in WFLO_SCHEMA_SET_{names[0]}"


def quote_literal(value: str) -> str:
    """A literal on one line, whether or not a backslash is an escape there.  Raise ValueError for what is none."""
    _refuse_unsendable(value)
    quoted = value.translate(_ESCAPED)
    return f" E'{quoted}'" if "\\" in quoted else f"'{quoted}'"


def quote_identifier(value: str) -> str:
    """A name that PostgreSQL takes as it is.  Raise ValueError for what is none."""
    _refuse_unsendable(value)
    size = len(value.encode())
    if not value:
        raise ValueError("is empty, and no name can be")
    if size > _LONGEST_NAME:
        raise ValueError(f"has {size} bytes, and PostgreSQL would cut off what is behind the first {_LONGEST_NAME}")
    if _CONTROL.search(value):
        raise ValueError("has a line break or another control character in it, which no name should have")
    return '"' + value.replace('"', '""') + '"'


def _refuse_unsendable(value: str) -> None:
    if "\0" in value:
        raise ValueError("holds a NUL character, which PostgreSQL cannot take")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("is not UTF-8") from None


def refuse_misused(path: str, source: bytes, found: Sequence[Use], names: Collection[str], line: int) -> None:
    """Raise `BadMigrationFile`, in a file that is to be run, where variables and the directive in ``line`` differ."""
    apart = "or, if it is no variable, write a blank behind the colon"
    for use in found:
        if not use.quote and use.name not in names:
            continue
        if not use.quote:
            what = f":{use.name} has no quotes, so it is no variable"
            hint = f"write :'{use.name}' for a literal, :\"{use.name}\" for a name; {apart}"
        elif use.name not in names:
            near = difflib.get_close_matches(use.name, names, n=1)
            what = f"{use.text} is not declared"
            hint = f"did you mean {near[0]}? or " if near else ""
            hint = f"{hint}add {use.name} to the line -- variables:; {apart}"
        elif use.is_beside_string:
            what = f"{use.text} stands beside a string, and would be read as one with it"
            hint = f"write || between them; {apart}"
        else:
            continue
        raise refusal(path, source, use.start, what, hint=hint)
    unused = [name for name in names if name not in {use.name for use in found}]
    if unused:
        hidden = re.search(rb":(['\"])" + unused[0].encode() + rb"\1", source)
        where = f" ({path}:{place(source, hidden.start())[0]})" if hidden else ""
        raise BadMigrationFile(
            f"{path}:{line}: nothing uses {listed(unused)}",
            hint=f"in a string, a comment or dollar quotes it stays as it is{where}; there, SELECT set_config() "
            "before it hands a value to current_setting()"
            if hidden
            else f"write :'{unused[0]}' or :\"{unused[0]}\" where it is meant, or take it out of the line; if that is "
            "only a comment, put other words in front of it",
            location=Location(path, line),
        )

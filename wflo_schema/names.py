"""Names as SQL spells them: quoting, lists, reserved words, how long one may be."""

from __future__ import annotations

import re
from collections.abc import Iterable

# NAMEDATALEN - 1: PostgreSQL silently cuts a longer name off, and what is left may name something else.
NAME_BYTES = 63

# Words that quote_ident() quotes although every character is plain: those of all supported servers together, so that
# each understands what is written here.
_RESERVED = frozenset(
    "all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both case "
    "cast char character check coalesce collate collation column concurrently constraint create cross current_catalog "
    "current_date current_role current_schema current_time current_timestamp current_user dec decimal default "
    "deferrable desc distinct do else end except exists extract false fetch float for foreign freeze from full grant "
    "greatest group grouping having ilike in initially inner inout int integer intersect interval into is isnull join "
    "json json_array json_arrayagg json_exists json_object json_objectagg json_query json_scalar json_serialize "
    "json_table json_value lateral leading least left like limit localtime localtimestamp merge_action national "
    "natural nchar none normalize not notnull null nullif numeric offset on only or order out outer overlaps overlay "
    "placing position precision primary real references returning right row select session_user setof similar "
    "smallint some substring symmetric system_user table tablesample then time timestamp to trailing treat trim true "
    "union unique user using values varchar variadic verbose when where window with xmlattributes xmlconcat "
    "xmlelement xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable".split()
)

# As quote_ident() has it: SQL takes a $ within a name without quotes, but no server prints it so.
_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


# One name as SQL writes it, for patterns.
NAME = r"""(?:"(?:[^"]|"")*"|[^\W\d][\w$]*)"""

# One name of a search_path, and what ends it.
_LISTED = re.compile(r'\s*(?:"(?P<quoted>(?:[^"]|"")*)"|(?P<plain>[^\s,]+))\s*(?:,|\Z)')

# A server folds unquoted names to lower case, but no letter outside ASCII.
_FOLDED = {ord(letter): letter.lower() for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"}


def quote(name: str) -> str:
    """Spell a name as SQL needs it: quoted only where it must be, as the server itself prints it."""
    return name if _PLAIN.match(name) and name not in _RESERVED else quote_always(name)


def quote_always(name: str) -> str:
    """Spell a name in quotes, needed or not: for a setting, where a bare word could mean something else."""
    return '"' + name.replace('"', '""') + '"'


def qualified(*parts: str) -> str:
    """Spell a name with what it is in: schema, table, column."""
    return ".".join(map(quote, parts))


def literal(text: str) -> str:
    """A text as SQL writes it, whatever standard_conforming_strings says."""
    quoted = "'" + text.replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in text else quoted


def bare_name(written: str) -> str:
    """The name as the catalog has it, without what it is in, quotes and argument types: of ``a."B"(int)`` it is B."""
    found = re.match(rf"(?:{NAME}\s*\.\s*)*(?P<last>{NAME})", written)
    last = found["last"] if found else written
    return last[1:-1].replace('""', '"') if last.startswith('"') else last.translate(_FOLDED)


def identifiers(names: Iterable[str]) -> str:
    """Spell several names as a list."""
    return ", ".join(map(quote, names))


def listed_in_path(search_path: str, *, user: str) -> tuple[str, ...]:
    """The schemas that a value of search_path names, in order; ``"$user"`` is the one named ``user``.

    An empty name, which is how PostgreSQL spells an empty path, is left out.
    """
    found = []
    for match in _LISTED.finditer(search_path):
        quoted = match["quoted"]
        name = quoted.replace('""', '"') if quoted is not None else match["plain"].translate(_FOLDED)
        found.append(user if name == "$user" else name)
    return tuple(name for name in found if name)

"""Other tools, and the words that say a direction: what shows that a folder is another tool's, as texts.

Hides the quick look that comes first: it is on the way of every command that reads migrations, so nothing is compiled
before it is needed.  Only where it is in doubt, `layouts` looks closely.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

FORWARD = frozenset(
    "up ups upward upwards do apply deploy forward forwards fwd upgrade migrate install setup execute u".split()
)
UNDO = frozenset(
    "down downs downward downwards undo revert reverse rev rollback backout backward backwards bwd downgrade teardown "
    "unapply uninstall undeploy unmigrate destroy inverse d".split()
)
# A pair only behind one number that is no day: else they are words of everyday names.
EVERYDAY = {"create": "drop", "add": "remove"}


class Layout(NamedTuple):
    """How one tool's folder is recognised; each pattern is tried without minding case.

    ``names``: the whole name of a file; ``pair``: of two that are a pair.  ``line``: how a comment at the beginning
    of a line begins.  ``own``: a file or folder that only this tool puts there, also one level down (``X/up.sql``).

    For a quick look, in lower case: one of ``named`` is in each name, one of ``says`` in each comment; none where a
    word of `UNDO`, or ``up``, is in it.
    """

    tool: str
    names: str = ""
    pair: str = ""
    line: str = ""
    own: str = ""
    named: tuple[str, ...] = ()
    says: tuple[str, ...] = ()


# The first that fits counts.
LAYOUTS: tuple[Layout, ...] = (
    Layout("Bun", names=r".*\.tx\.(up|down)\.sql", line=r"--bun:split\b", says=("bun:split",)),
    Layout("Pop", names=r".*\.(postgres|cockroach|mysql|sqlite3?)(\.\w+)?\.(up|down)\.sql", own=r".*\.(up|down)\.fizz"),
    Layout("Hasura", names=r"\d{13}_.*\.(up|down)\.sql", own=r"\d{13}_[^/]*/(up|down)\.sql"),
    Layout("golang-migrate", names=r"\d+_.*\.(up|down)\.sql"),
    Layout("Postgrator", names=r"\d+\.(do|undo)(\..*)?\.sql", named=(".do.",)),
    Layout("db-migrate", pair=r".*-(up|down)\.sql", own=r"sqls"),
    Layout(
        "Flyway",
        names=r"((?-i:[VURB])(?=[\d_])|[vu](?=\d))[\d._]*?__.+\.sql|"
        r"(before|after)(each)?(migrate|clean|info|validate|baseline|repair|undo|repeatables|versioned).*\.sql",
        named=("__", "\nbefore", "\nafter"),
    ),
    Layout(
        "grate",
        names=r".*\.env\.(.*\.)?sql",
        own=r"run(after|before|first)\w+|(before|after)migration|alterdatabase",
        named=(".env.",),
    ),
    Layout("dbmate", line=r"--\s*migrate:\s*(up|down)\b", says=("migrate:",)),
    Layout("goose", line=r"--\s*\+\s*goose\b", says=("goose",)),
    Layout("sql-migrate", line=r"--\s*\+\s*migrate\b", says=("migrate",)),
    Layout("Micrate", line=r"--\s*\+\s*micrate\b", says=("micrate",)),
    Layout("MyBatis Migrations", line=r"--\s*//\s*@undo\b", says=("@undo",)),
    Layout("shmig", line=r"--\s*====\s\sup\s\s====\s*$", says=("====",)),
    Layout("Rambler", line=r"--\s*rambler\s+(up|down)\b", says=("rambler",)),
    Layout(
        "Liquibase",
        line=r"--\s*(liquibase\s+formatted\s+sql|changeset\s+[^\s:]+:\S+)",
        own=r"(.*[._-])?changelog.*\.(xml|ya?ml|json)",
        named=("changelog",),
        says=("liquibase", "changeset"),
    ),
    Layout(
        "tern",
        line=r"--[-\s]*create\s+above\b.*\bdrop\s+below\b|--\s*write your migrate up statements",
        own=r"tern\.conf",
        named=("tern.conf",),
        says=("below", "write your"),
    ),
    Layout("node-pg-migrate", line=r"--[-\s]*(up|down)\s+migration\W*$", says=("migration",)),
    Layout("Play evolutions", line=r"--[-\s]*!(ups|downs)\b", says=("!up", "!down")),
    Layout("graphile-migrate", line=r"--!\s*((previous|hash)\s*:|include\s)", own=r"committed", says=("--!",)),
    Layout(
        "Sqitch",
        line=r"--\s*(deploy|revert|verify)\s+\S+\s+(to|from|on)\s+pg\s*$",
        own=r"sqitch\.(plan|conf)",
        named=("sqitch.",),
        says=("deploy", "revert", "verify"),
    ),
    Layout("Drizzle", line=r"-->\s*statement-breakpoint", own=r"meta/_journal\.json", says=("statement-breakpoint",)),
    Layout("Atlas", line=r"--\s*atlas:\w+", own=r"atlas\.sum", named=("atlas.sum",), says=("atlas:",)),
    Layout("Prisma", own=r"migration_lock\.toml|[^/]+/migration\.sql", named=("migration_lock", "\nmigration.sql")),
    Layout("Diesel", own=r"[^/]+/(up|down)\.sql"),
    Layout(
        "Alembic",
        line=r"--\s*running\s+(up|down)grade\s+.*->",
        own=r"script\.py\.mako|alembic\.ini",
        named=("script.py.mako", "alembic.ini"),
        says=("running",),
    ),
    Layout("sqlx", line=r"--\s*no-transaction\s*$", says=("no-transaction",)),
    Layout("Marv", line=r"--\s*@marv\b", says=("@marv",)),
    Layout(
        "postgres-migrations", line=r"--\s*postgres-migrations\s+disable-transaction\b", says=("disable-transaction",)
    ),
    Layout("Bytebase", names=r".*##\w+##.*\.sql", named=("##",)),
    Layout("Ebean", own=r"(.*/)?.*\.model\.xml", named=(".model.xml",)),
)

# --- the quick look ---------------------------------------------------------------------------

# What goes back, as it may be spelt; and of those the parts that are in all of them.
UNDO_SPELT = ("roll back", *sorted(word for word in UNDO if len(word) > 1))
UNDO_PARTS = tuple(w for w in UNDO_SPELT if not any(other in w for other in UNDO_SPELT if other != w))
_UNDO_WORD = rf"(?<![a-z])(?:{'|'.join(UNDO_SPELT)})(?![a-z])"

# In names: words besides these, one letter alone, and from one version to another.
_NAME_PARTS = (*UNDO_PARTS, *EVERYDAY.values(), "up", ".do.", ".rb.", "back", "to", "--", "d")
_NAME = (
    rf"(?<![a-z])(?:{'|'.join((*UNDO_SPELT, *EVERYDAY.values(), 'up', 'back'))})s?(?![a-z])|\.(?:do|rb)\.|"
    r"(?<![a-z0-9])d(?![a-z0-9])|(?:to|-)[-_ ]?v?\d[\d.]*\.sql"
)
_NAMED = tuple(word for layout in LAYOUTS for word in layout.named)

# A comment that begins a line, and the line's end before it, for which Python looks fastest.
_COMMENT = rb"[ \t]*(?:#|--|/\*(?:[^*]|\*(?!/)){0,300}+)[^\n]*"
_COMMENT_LINE = re.compile(rb"\n" + _COMMENT)
_SAID = tuple((word, layout.line) for layout in LAYOUTS for word in layout.says)
_PARTS = (*UNDO_PARTS, *(word for word, _ in _SAID))

_HUMP = "(?<=[a-z])(?=[A-Z])"


def may_be_anothers(names: Iterable[str]) -> bool:
    """May these names, of a folder and of the files in it, be those of another tool?"""
    said = re.sub(_HUMP, "_", "\n".join(names)).lower()
    if any(word in said for word in _NAMED):
        return True
    return any(part in said for part in _NAME_PARTS) and re.search(_NAME, said) is not None


def may_have_sections(source: bytes) -> bool:
    """May a comment in it be another tool's, or begin what undoes it?"""
    text = source.replace(b"\r", b"\n") if b"\r" in source else source
    first = re.match(_COMMENT, text)
    found = [first.group()] if first else []
    found += [match.group() for match in _COMMENT_LINE.finditer(text)]
    return any(_is_doubtful(comment.decode("utf-8", "replace")) for comment in found)


def _is_doubtful(comment: str) -> bool:
    lowered = comment.lower()
    if not any(part in lowered for part in _PARTS):
        return False
    bare = comment.lstrip(" \t\n#")
    if any(word in lowered and re.match(line, bare, re.IGNORECASE) for word, line in _SAID):
        return True
    return re.search(_UNDO_WORD, re.sub(_HUMP, " ", comment).lower()) is not None

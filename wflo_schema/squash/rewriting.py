"""The text of the one file: the catalog as SQL and what no catalog shows, or every statement in its order.

Hides which statements a catalog stands for, and what has no place in a transaction.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wflo_schema.catalog.compare import compare_catalogs
from wflo_schema.catalog.objects import NOTHING, Catalog, Difference
from wflo_schema.catalog.snapshot import Snapshot
from wflo_schema.errors import Refused
from wflo_schema.files.folder import Migration, load_rollback, load_script
from wflo_schema.files.script import Script, Statement
from wflo_schema.files.statements import runs_alone, sets_session
from wflo_schema.findings import Location
from wflo_schema.names import NAME

_ROWS = frozenset({"INSERT", "UPDATE", "DELETE", "MERGE", "COPY", "TRUNCATE"})
_CODE = frozenset({"SELECT", "WITH", "VALUES", "CALL", "DO", "EXECUTE", "PREPARE"})
# They change nothing that a new database would keep, or are there for other sessions at work.
_POINTLESS = frozenset(
    {"VACUUM", "ANALYZE", "REINDEX", "CLUSTER", "CHECKPOINT", "LOCK", "SAVEPOINT", "RELEASE", "DISCARD", "NOTIFY"}
)
_SHARED = re.compile(
    r"""\A(?:(?:CREATE|ALTER|DROP)\s+(?:ROLE|USER(?!\s+MAPPING)|GROUP|DATABASE|TABLESPACE|SUBSCRIPTION|SYSTEM)
          | ALTER\s+SYSTEM | COMMENT\s+ON\s+(?:ROLE|DATABASE|TABLESPACE) | SECURITY\s+LABEL)\b""",
    re.VERBOSE | re.IGNORECASE,
)
_PRIVILEGES = re.compile(
    r"\A(?:GRANT|REVOKE|ALTER\s+DEFAULT\s+PRIVILEGES|REASSIGN|DROP\s+OWNED|ALTER\b.*\bOWNER\s+TO\b)",
    re.IGNORECASE | re.DOTALL,
)
# Which version is there is for the server to say, as it is where a migration makes it.
_VERSION = re.compile(r"^(?P<before>CREATE EXTENSION .*) VERSION '(?:[^']|'')*';$", re.MULTILINE)
_REFRESH = re.compile(r"\AREFRESH\b", re.IGNORECASE)
_SESSION = re.compile(r"\A(?:SET|RESET)\b", re.IGNORECASE)
_ROLE = re.compile(r"\bROLE\b|\bSESSION\s+AUTHORIZATION\b", re.IGNORECASE)

_CONCURRENTLY = re.compile(
    r"(?P<before>\A(?:CREATE\s+(?:UNIQUE\s+)?INDEX|DROP\s+INDEX)\s+|\bDETACH\s+PARTITION\s+\S+\s*)CONCURRENTLY\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Kept:
    """A statement that no catalog stands for: how it begins, never with a password, and what it changes."""

    kind: str
    statement: str
    location: Location


@dataclass(frozen=True, slots=True)
class _Part:
    """The statements of one file, in its order, with what clears the session behind them."""

    migration: Migration
    statements: Sequence[Statement]

    def text(self) -> str:
        found = [f"-- from {self.migration.id}"]
        found += [f"{_plain(s.text)};{_data(s)}" for s in self.statements]
        if any(sets_session(s) or _SESSION.match(s.text) or "set_config" in s.text for s in self.statements):
            found.append("RESET ALL;")
            if any(_SESSION.match(s.text) and _ROLE.search(s.text) for s in self.statements):
                found.append("RESET SESSION AUTHORIZATION;\nRESET ROLE;")
        return "\n\n".join(found)


def kind_of(statement: Statement) -> str:
    """What a statement changes that no catalog shows; empty for one that the catalog stands for."""
    text, first = statement.text, statement.first_word
    if first in _ROWS:
        return "rows"
    if first in _CODE:
        return "code"
    if first in _POINTLESS:
        return "nothing"
    for kind, pattern in (
        ("session", _SESSION),
        ("cluster", _SHARED),
        ("privileges", _PRIVILEGES),
        ("rows", _REFRESH),
    ):
        if pattern.match(text):
            return kind
    return ""


def kept_statements(scripts: Sequence[Script]) -> tuple[tuple[Kept, ...], tuple[Kept, ...]]:
    """What no catalog shows, in order, and what is left out because a new database does not need it."""
    found = [
        Kept(kind_of(s), _beginning(s.text), Location(script.path, s.line, s.column))
        for script in scripts
        for s in script.statements
    ]
    kept = tuple(k for k in found if k.kind not in ("", "nothing", "session"))
    return kept, tuple(k for k in found if k.kind == "nothing")


def _beginning(text: str) -> str:
    words = " ".join(_SECRET.split(text, maxsplit=1)[0].split())
    return words if len(words) <= _MOST_SHOWN and not _SECRET.search(text) else f"{words[:_MOST_SHOWN]}…"


# What a password may stand behind.
_SECRET = re.compile(r"\b(?:ENCRYPTED\s+)?PASSWORD\b", re.IGNORECASE)

# Characters of a statement that a list shows.
_MOST_SHOWN = 60


def read_scripts(chosen: Sequence[Migration]) -> tuple[Script, ...]:
    """Read the text of each migration, and split it into statements."""
    return tuple(load_script(m) for m in chosen)


def refuse_alone(scripts: Sequence[Script]) -> None:
    """Raise `Refused` for what would have to be kept and runs in no transaction: one file is one transaction."""
    for script in scripts:
        for s in script.statements:
            if kind_of(s) != "nothing" and runs_alone(s) and _plain(s.text) == s.text:
                raise Refused(
                    f"{s.location(script.path)}: {_beginning(s.text)} cannot run in a transaction, and a "
                    "squashed file is one; nothing was written",
                    hint="squash what stands before that file and what stands behind it: wflo-schema squash --from ID "
                    "--to ID",
                )


def from_catalog(chosen: Sequence[Migration], scripts: Sequence[Script], snapshot: Snapshot) -> str:
    """The catalog as SQL, and what no catalog shows."""
    made, _, _ = snapshot.text.partition("\n--|")
    body = "\n".join(line for line in made.split("\n") if not line.startswith("-- ")).strip()
    found = ["-- the catalog", _VERSION.sub(lambda m: f"{m['before']};", body)]
    for m, script in zip(chosen, scripts, strict=True):
        kept = tuple(s for s in script.statements if kind_of(s) not in ("", "nothing"))
        if any(kind_of(s) != "session" for s in kept):
            found.append(_Part(m, kept).text())
    return "\n\n".join(found) + "\n"


def from_statements(chosen: Sequence[Migration], scripts: Sequence[Script], *, with_whole_enums: bool = False) -> str:
    """Every statement in its order, but those that a new database needs not.

    ``with_whole_enums``: a label that an enum gets later stands where the type is made. Before PostgreSQL 17 no row may
    hold a new one until the transaction ends.
    """
    files = [[s for s in script.statements if kind_of(s) != "nothing"] for script in scripts]
    if with_whole_enums:
        files = _with_whole_enums(files)
    parts = (_Part(m, statements) for m, statements in zip(chosen, files, strict=True))
    return "\n\n".join(p.text() for p in parts if p.statements) + "\n"


_LITERAL = r"'(?:[^']|'')*'"
_TYPE = rf"TYPE\s+(?:{NAME}\s*\.\s*)?(?P<type>{NAME})"
_ENUM = re.compile(rf"(CREATE\s+{_TYPE}\s+AS\s+ENUM\s*\()((?:{_LITERAL}|[^'()])*)\)\s*\Z", re.IGNORECASE)
_RENAMED = re.compile(rf"ALTER\s+{_TYPE}\s+RENAME\s+TO\s+(?P<new>{NAME})\s*\Z", re.IGNORECASE)
_ADDED = re.compile(
    rf"ALTER\s+{_TYPE}\s+ADD\s+VALUE\s+(?:IF\s+NOT\s+EXISTS\s+)?(?P<label>{_LITERAL})"
    rf"(?:\s+(?P<where>BEFORE|AFTER)\s+(?P<beside>{_LITERAL}))?\s*\Z",
    re.IGNORECASE,
)


def _with_whole_enums(files: Sequence[Sequence[Statement]]) -> list[list[Statement]]:
    """The statements, but those that add a label to an enum which one of them makes: it has it from the beginning."""
    found: list[dict[int, Statement]] = [dict(enumerate(statements)) for statements in files]
    made: dict[str, tuple[dict[int, Statement], int]] = {}
    for kept in found:
        for number, statement in list(kept.items()):
            if statement.words[1:2] != ("TYPE",):
                continue
            text = statement.text
            if (enum := _ENUM.match(text)) is not None:
                made[_folded(enum["type"])] = kept, number
            elif (renamed := _RENAMED.match(text)) is not None and (place := made.pop(_folded(renamed["type"]), None)):
                made[_folded(renamed["new"])] = place
            elif (added := _ADDED.match(text)) is not None and (place := made.get(_folded(added["type"]))):
                where, at = place
                grown = _grown(where[at].text, added)
                if grown:
                    where[at] = Statement(grown.encode())
                    del kept[number]
    return [list(kept.values()) for kept in found]


def _grown(text: str, added: re.Match[str]) -> str:
    """The statement that makes an enum, with one label more; empty where the label beside it is not known."""
    enum = _ENUM.match(text)
    labels = re.findall(_LITERAL, enum[3]) if enum is not None else []
    if enum is None or (added["beside"] and added["beside"] not in labels):
        return ""
    if added["label"] not in labels:
        at = labels.index(added["beside"]) + (added["where"].upper() == "AFTER") if added["beside"] else len(labels)
        labels.insert(at, added["label"])
    return f"{enum[1]}{', '.join(labels)})"


def _folded(name: str) -> str:
    return name[1:-1].replace('""', '"') if name.startswith('"') else name.lower()


def _data(statement: Statement) -> str:
    """The rows that a COPY reads, and their end."""
    if statement.data is None:
        return ""
    start, end = statement.data
    rows = statement.source[start:end].decode()
    return f"\n{rows}{'' if not rows or rows.endswith(chr(10)) else chr(10)}\\."


def _plain(text: str) -> str:
    """As it runs in a transaction."""
    return _CONCURRENTLY.sub(lambda m: m["before"], text, count=1)


def rollback_from_catalog(before: Catalog, after: Catalog) -> str | None:
    """Statements that drop what is new and mend what was changed; None where one of them is not known."""
    found: list[str] = []
    tables: list[str] = []
    at = 0
    for d in compare_catalogs(after, before):
        if d.cosmetic:
            continue
        text = _undo(d)
        if text is None:
            return None
        if not text:
            continue
        if d.kind == "table" and text.startswith("DROP TABLE "):
            at = at if tables else len(found)
            tables.append(d.object)
        else:
            found.append(text)
    if tables:  # all at once, so that keys in a circle are in nobody's way
        found.insert(at, f"DROP TABLE {', '.join(tables)};")
    return "\n".join(found) + "\n" if found else "-- nothing-to-undo: it makes nothing that stays\n"


_DROPPED = ("table", "foreign table", "sequence", "materialized view", "schema", "extension")


def _undo(d: Difference) -> str | None:
    is_whole = d.want == NOTHING and not d.attribute
    if is_whole and d.kind in _DROPPED:
        return f"DROP {d.kind.upper()} {d.object};"
    return _plain(d.mend) if d.mend else None


def rollback_from_files(chosen: Sequence[Migration]) -> str | None:
    """All rollback files, the last first; None where one is missing."""
    found: list[str] = []
    for m in reversed(chosen):
        script = load_rollback(m)
        if script is None or not (script.statements or script.nothing_to_undo):
            return None
        if script.statements:
            found.append(_Part(m, script.statements).text())
    return "\n\n".join(found) + "\n" if found else None


def described(text: str, title: str, directives: Sequence[str]) -> Iterator[str]:
    """The lines of a file: what it is, its directives, and its text."""
    yield f"-- {title}"
    yield from directives
    yield ""
    yield text.rstrip("\n")
    yield ""

"""What a statement of a non-transactional file does, as its text tells it.

Hides PostgreSQL's parser, and which statements PostgreSQL runs alone, as a whole or half-way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from psycopg import sql

from wflo_schema.errors import BadMigrationFile
from wflo_schema.findings import Location
from wflo_schema.migration import Script, Statement

_ALONE = re.compile(
    r"""\A(?:
        CREATE\s+(?:UNIQUE\s+)?INDEX\s+CONCURRENTLY
      | DROP\s+INDEX\s+CONCURRENTLY
      | REINDEX | VACUUM | CLUSTER
      | (?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE)
      | (?:CREATE|ALTER|DROP)\s+SUBSCRIPTION
      | ALTER\s+(?:SYSTEM|DATABASE)
      | ALTER\s+TABLE\b.*\bDETACH\s+PARTITION\b.*\b(?:CONCURRENTLY|FINALIZE)
    )\b""",
    re.VERBOSE | re.IGNORECASE | re.DOTALL,
)
# Statements that PostgreSQL refuses inside a transaction block.  Others are tried in one first, with
# their progress: DO and CALL too, which run alone only where they turn out to commit by themselves.

_WHOLE = re.compile(r"\A(?:CREATE|DROP)\s+(?:DATABASE|TABLESPACE|SUBSCRIPTION)\b", re.IGNORECASE)
# Of those, the ones that are done as a whole or not at all, and fail when they are done again.

DONE_ALREADY = {"CREATE": ("42P04", "42710"), "DROP": ("3D000", "42704")}
# What they then fail with: duplicate_database, duplicate_object; invalid_catalog_name, undefined_object.

_WAITS_HARMLESSLY = re.compile(r"\A(?:CREATE|DROP|REINDEX)\b.*\bCONCURRENTLY\b", re.IGNORECASE | re.DOTALL)
# They wait for transactions to end, often long, in a lock mode that keeps no reader or writer waiting.

_GIVES_UP_LOCKS = re.compile(
    r"\A(?:DISCARD\s+ALL\b|(?:SELECT|WITH|VALUES|DO|TABLE)\b.*\bpg_advisory_unlock_all\b)", re.IGNORECASE | re.DOTALL
)

_MAY_LOSE_RECORD = re.compile(r"\b(?:DROP|ALTER)\s+SCHEMA\b|\bDROP\s+OWNED\b|\bEXECUTE\b|_yoyo_", re.IGNORECASE)
# What a file must say to be able to take its own record away, or the ledger with it.


@dataclass(frozen=True, slots=True)
class IndexBuild:
    name: str
    table: str
    if_not_exists: bool


def index_build(text: str) -> IndexBuild | None:
    """What CREATE INDEX CONCURRENTLY is about to build; None for any other statement."""
    node = _parse_one(text, "index_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return None
    relation = node.relation
    parts = [p for p in (relation.schemaname, relation.relname) if p]
    return IndexBuild(node.idxname, sql.Identifier(*parts).as_string(), node.if_not_exists)


def dropped_indexes(text: str) -> tuple[str, ...]:
    node: Any = _parse_one(text, "drop_stmt") if "CONCURRENTLY" in text.upper() else None
    if node is None or not node.concurrent:
        return ()
    return tuple(sql.Identifier(*(i.string.sval for i in o.list.items)).as_string() for o in node.objects)


def reindexed(text: str) -> tuple[str, str | None] | None:
    """``relation``, ``schema`` or ``database``, and its name, of a REINDEX; None for any other statement."""
    node: Any = _parse_one(text, "reindex_stmt")
    if node is None:
        return None
    if node.HasField("relation"):
        parts = [p for p in (node.relation.schemaname, node.relation.relname) if p]
        return "relation", sql.Identifier(*parts).as_string()
    return ("schema", node.name) if re.search(r"\bSCHEMA\b", text, re.IGNORECASE) else ("database", None)


def detached(text: str) -> tuple[str, str] | None:
    node: Any = _parse_one(text, "alter_table_stmt") if "DETACH" in text.upper() else None
    if (
        node is None
        or len(node.cmds) != 1
        or not getattr(node.cmds[0].alter_table_cmd, "def").HasField("partition_cmd")
    ):
        return None
    inner = getattr(node.cmds[0].alter_table_cmd, "def").partition_cmd.name
    names = [sql.Identifier(*(p for p in (r.schemaname, r.relname) if p)).as_string() for r in (node.relation, inner)]
    return names[0], names[1]


def _parse_one(text: str, node: str) -> Any:
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1 or not tree.stmts[0].stmt.HasField(node):
        return None
    return getattr(tree.stmts[0].stmt, node)


def runs_alone(statement: Statement) -> bool:
    return bool(_ALONE.match(" ".join(statement.words)) or _ALONE.match(statement.text))


def is_whole(text: str) -> bool:
    """Is it done as a whole or not at all, and fails (`DONE_ALREADY`) when it is done again?"""
    return bool(_WHOLE.match(text))


def waits_harmlessly(text: str) -> bool:
    """Does it wait for transactions to end in a lock mode that keeps no reader or writer waiting?"""
    return bool(_WAITS_HARMLESSLY.match(text))


def sets_session(statement: Statement) -> bool:
    words = statement.words
    if words[:1] == ("RESET",):
        return True
    return words[:1] == ("SET",) and words[1:2] not in (("LOCAL",), ("CONSTRAINTS",), ("TRANSACTION",))


def may_lose_record(text: str) -> bool:
    loud = text.upper()  # a look for words takes a hundredth of the time that the expression takes
    return any(word in loud for word in ("SCHEMA", "OWNED", "EXECUTE", "_YOYO_")) and bool(
        _MAY_LOSE_RECORD.search(text)
    )


def refuse_unresumable(script: Script, statement: Statement) -> None:
    build = index_build(statement.text)
    if build is not None and not build.name:
        raise BadMigrationFile(
            f"{script.path}:{statement.line}: CREATE INDEX CONCURRENTLY without a name",
            hint="name the index: without a name, what an interrupted build leaves behind cannot be found again",
            location=Location(script.path, statement.line, statement.column),
        )
    if _GIVES_UP_LOCKS.match(statement.text):
        raise BadMigrationFile(
            f"{script.path}:{statement.line}: {' '.join(statement.text.split())[:60]} gives up the lock that keeps "
            "a second run from doing the same statements at the same time",
            hint="remove it: the session is cleared after each migration; a lock is released by pg_advisory_unlock",
            location=Location(script.path, statement.line, statement.column),
        )

"""What kind of statement one is, and which relations it names, as PostgreSQL's parser reads it.

Hides the parser's nodes, and what is done with a statement that it does not understand.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Literal

from wflo_schema.connect.replaying import unmarked
from wflo_schema.files.creations import parse_one, walk

if TYPE_CHECKING:
    from wflo_schema.files.script import Statement

# Bytes: a longer statement is data, and is not searched for names.
_LONGEST = 100_000

Kind = Literal["query", "insert", "code", "copy to", "copy from", "truncate", "index", "names", "savepoint", "other"]

_QUERIES = frozenset({"SELECT", "WITH", "VALUES", "TABLE", "UPDATE", "DELETE", "MERGE", "DECLARE", "EXECUTE", "("})
_MAKES_BY_QUERY = re.compile(
    r"CREATE\s+(?:(?:GLOBAL|LOCAL|TEMP|TEMPORARY|UNLOGGED)\s+)*(?:TABLE|MATERIALIZED\s+VIEW)\b.*?\bAS\b",
    re.IGNORECASE | re.DOTALL,
)
_READS = re.compile(rb"\b(?:SELECT|TABLE|WITH|CONFLICT\b.*\bDO\s+UPDATE)\b", re.IGNORECASE | re.DOTALL)
_COPY_TO = re.compile(r"\ACOPY\b.*?\)?\s+TO\s", re.IGNORECASE | re.DOTALL)
_SIZES = re.compile(
    r"\b(?:reltuples|relpages|n_live_tup|n_tup_\w+|pg_(?:total_)?relation_size|pg_table_size|pg_stat\w*)\b",
    re.IGNORECASE,
)


# What has values for columns that are there; of a MERGE, what inserts has them too.
_UPDATES = frozenset({"UpdateStmt", "OnConflictClause"})


def kind_of(statement: Statement) -> Kind:
    """What kind of statement it is, by its first words."""
    words = statement.words
    first = words[0] if words else ""
    if first in ("DO", "CALL"):
        return "code"
    if first == "INSERT":
        return "query" if len(statement.raw) <= _LONGEST and _READS.search(statement.raw) else "insert"
    if first in _QUERIES or statement.raw[:1] == b"(":
        return "query"
    if first == "CREATE":
        if "INDEX" in words[1:3]:
            return "index"
        return "query" if _MAKES_BY_QUERY.match(statement.text[:2_000]) and _is_by_query(statement) else "other"
    if first == "COPY":
        return "copy to" if _COPY_TO.match(statement.text[:10_000]) and statement.data is None else "copy from"
    if first == "TRUNCATE":
        return "truncate"
    if first == "ALTER" and words[1:2] == ("SCHEMA",):
        return "names"
    return "savepoint" if first in ("SAVEPOINT", "RELEASE", "ROLLBACK") else "other"


def _is_by_query(statement: Statement) -> bool:
    parsed = parse_one(statement.text)
    return (
        parsed is not None
        and parsed[0] == "create_table_as_stmt"
        and not parsed[1].into.skip_data  # WITH NO DATA reads nothing
    )


def asks_for_sizes(statement: Statement) -> bool:
    """Does it ask how many rows a table has, or how large it is?"""
    return bool(_SIZES.search(unmarked(statement.written)))  # the looks that a rehearsal puts in ask, too


def mentioned(statement: Statement) -> tuple[tuple[str, str], ...]:
    """Schema, empty where it says none, and name of each relation that it names; none where it is not understood."""
    if len(statement.raw) > _LONGEST:
        return ()
    parsed = parse_one(statement.text)
    return tuple(dict.fromkeys(_named(parsed[1]))) if parsed is not None else ()


def updated_columns(statement: Statement) -> frozenset[str] | None:
    """The columns that its UPDATE, MERGE or ON CONFLICT DO UPDATE gives values; None where it is not understood."""
    parsed = parse_one(statement.text) if len(statement.raw) <= _LONGEST else None
    if parsed is None:
        return None
    return frozenset(
        one.res_target.name
        for node in walk(parsed[1])
        if (kind := node.DESCRIPTOR.name) in _UPDATES or (kind == "MergeWhenClause" and not node.values)
        for one in node.target_list
    )


def _named(node: Any) -> Iterator[tuple[str, str]]:
    if node.DESCRIPTOR.name == "RangeVar":
        yield node.schemaname, node.relname
        return
    if node.DESCRIPTOR.name in ("DropStmt", "CommentStmt"):
        for one in node.objects if node.DESCRIPTOR.name == "DropStmt" else (node.object,):
            yield from _qualified(one)
        return
    for field, value in node.ListFields():
        if field.message_type is None:
            continue
        for one in (value,) if hasattr(value, "ListFields") else value:
            yield from _named(one)


def _qualified(one: Any) -> Iterator[tuple[str, str]]:
    parts = [p.string.sval for p in one.list.items if p.HasField("string")] if one.HasField("list") else []
    if parts:
        yield (parts[-2] if len(parts) > 1 else ""), parts[-1]
        for n in range(1, len(parts)):  # COMMENT ON COLUMN, DROP TRIGGER: the relation stands before
            yield (parts[n - 2] if n > 1 else ""), parts[n - 1]

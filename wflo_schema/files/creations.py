"""What a file makes, and what its statements change, as PostgreSQL's parser reads them.

Hides the parser's nodes.  What code makes (DO, a function that is called) is not seen.
"""

from __future__ import annotations

import functools
import importlib
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wflo_schema.files.script import Script, Statement

# The parser's nodes that make something, and the field with its name: a text, a list of parts, or a relation.
_MAKES = {
    "view_stmt": "view",
    "create_function_stmt": "funcname",
    "create_trig_stmt": "trigname",
    "create_policy_stmt": "policy_name",
    "rule_stmt": "rulename",
    "create_domain_stmt": "domainname",
    "create_enum_stmt": "type_name",
    "create_range_stmt": "type_name",
    "composite_type_stmt": "typevar",
    "define_stmt": "defnames",
    "create_event_trig_stmt": "trigname",
    "create_stats_stmt": "defnames",
    "index_stmt": "idxname",
}


# Those that belong to a relation, and the field that names it.
_OF_RELATION = {"create_trig_stmt": "relation", "create_policy_stmt": "table", "rule_stmt": "relation"}

# Statements that run no code but begin so, and what in some of them leads a name to another schema.
_PLAIN = ("CREATE", "COMMENT", "GRANT", "REVOKE", "ALTER", "DROP", "SET", "RESET")
_LEADS = re.compile(rb"\b(search_path|schema|role|authorization|all)\b", re.IGNORECASE)
_MOVES = re.compile(rb"\bSET\b.*\bSCHEMA\b", re.IGNORECASE | re.DOTALL)

# Characters: of a statement that is no longer, what was read is kept for a while, as it is asked for more than once.
_SHORT = 2_000


@dataclass(frozen=True, slots=True)
class Creation:
    """Something that a statement (its number from 0) makes.

    ``keeps_old``: it says IF NOT EXISTS, and so does nothing where the thing is there.  ``has_options``: it says
    WITH (…) of a view.  ``is_part``: it is an index, which goes with what it is of.  ``schema``: the one in
    which it is made, where the statement names it; ``relation``: that to which it belongs, as a trigger does.
    """

    statement: int
    name: str
    keeps_old: bool = False
    has_options: bool = False
    is_part: bool = False
    schema: str = ""
    relation: str = ""


@dataclass(frozen=True, slots=True)
class Touched:
    """What a statement alters or drops: a relation, perhaps some ``columns`` of it alone, or another thing."""

    schema: str
    name: str
    is_relation: bool = True
    columns: tuple[str, ...] = ()


def creations(script: Script) -> tuple[Creation, ...]:
    """What the file makes, but for tables and what belongs to them, in its order."""
    found = []
    for number, statement in script.statements.beginning_with("CREATE"):
        made = _creation(number, statement)
        if made is not None:
            found.append(made)
    return tuple(found)


def is_plain(script: Script) -> bool:
    """Does the file make what `creations` says, there, and nothing of these names elsewhere?

    Not known of what runs code, moves things to another schema, or changes to which schema a bare name leads.
    """
    statements = script.statements
    return (
        sum(1 for _ in statements.beginning_with(*_PLAIN)) == len(statements)
        and not any(_LEADS.search(s.raw) for _, s in statements.beginning_with("SET", "RESET"))
        and not any(_MOVES.search(s.raw) for _, s in statements.beginning_with("ALTER"))
    )


def load_parser() -> None:
    """Load PostgreSQL's parser aside, while others are waited for: that takes a tenth of a second."""
    threading.Thread(target=importlib.import_module, args=("postgast",), daemon=True).start()


def parse_one(text: str) -> tuple[str, Any] | None:
    """The kind of a statement, as the parser names it, and its node; None where it is not one that it takes.

    The node is not to be changed: whoever asks next gets the same.
    """
    return _parse_short(text) if len(text) <= _SHORT else _parse(text)


@functools.lru_cache(maxsize=2_048)
def _parse_short(text: str) -> tuple[str, Any] | None:
    return _parse(text)


def _parse(text: str) -> tuple[str, Any] | None:
    import postgast

    try:
        tree = postgast.parse(text)
    except postgast.PgQueryError:
        return None
    if len(tree.stmts) != 1:
        return None
    kind = tree.stmts[0].stmt.WhichOneof("node")
    return kind, getattr(tree.stmts[0].stmt, kind)


def _creation(number: int, statement: Statement) -> Creation | None:
    parsed = parse_one(statement.text)
    if parsed is None:
        return None
    kind, node = parsed
    if kind == "create_table_as_stmt":
        if enum_word(node, "objtype") != "OBJECT_MATVIEW":
            return None
        return Creation(
            number, node.into.rel.relname, node.if_not_exists, bool(node.into.options), schema=node.into.rel.schemaname
        )
    if kind not in _MAKES:
        return None
    name = getattr(node, _MAKES[kind])
    of = getattr(node, _OF_RELATION[kind]) if kind in _OF_RELATION else None
    schema, relation = (of.schemaname, of.relname) if of is not None else ("", "")
    if not isinstance(name, str):
        if hasattr(name, "relname"):
            schema, name = name.schemaname, name.relname
        else:
            *before, name = (part.string.sval for part in name)
            schema = before[-1] if before else ""
    return Creation(
        number,
        name,
        bool(getattr(node, "if_not_exists", False)),
        kind == "view_stmt" and bool(node.options),
        kind == "index_stmt",
        schema,
        relation,
    )


def views_of_all(script: Script, name: str) -> Iterator[tuple[str, str]]:
    """The views with a ``*`` in them that a file makes, each with a statement that makes the same as a view ``name``.

    PostgreSQL writes out the ``*`` when a view is made: a column that its table gets later is not in it.
    """
    import postgast

    for _, statement in script.statements.beginning_with("CREATE"):
        if b"*" not in statement.raw or (parsed := parse_one(statement.text)) is None:
            continue
        kind, node = parsed
        is_filled = kind == "create_table_as_stmt" and enum_word(node, "objtype") == "OBJECT_MATVIEW"
        if not (is_filled or kind == "view_stmt") or "a_star {" not in str(node):
            continue
        tree = postgast.parse("CREATE VIEW v AS SELECT")
        view = tree.stmts[0].stmt.view_stmt
        relation, columns = (node.into.rel, node.into.col_names) if is_filled else (node.view, node.aliases)
        view.query.CopyFrom(node.query)
        view.aliases.extend(columns)
        view.view.CopyFrom(relation)
        view.view.relname = name
        yield relation.relname, postgast.deparse(tree)


def walk(message: Any) -> Iterator[Any]:
    """Every node below one, itself included."""
    yield message
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for one in (value,) if hasattr(value, "ListFields") else value:
                yield from walk(one)


def touched(statement: Statement) -> tuple[Touched, ...]:
    """What an ALTER or a DROP is about; none where it is another statement."""
    parsed = parse_one(statement.text)
    if parsed is None:
        return ()
    kind, node = parsed
    if kind == "alter_table_stmt":
        commands = [command.alter_table_cmd for command in node.cmds]
        columns = tuple(c.name for c in commands if enum_word(c, "subtype") in _OF_COLUMN)
        return (Touched(node.relation.schemaname, node.relation.relname, columns=columns),)
    if kind in ("rename_stmt", "alter_object_schema_stmt") and node.HasField("relation"):
        return (Touched(node.relation.schemaname, node.relation.relname),)
    if kind == "drop_stmt":
        is_relation = enum_word(node, "remove_type") in _RELATIONS
        return tuple(Touched(*qualified_name(one), is_relation) for one in node.objects)
    return ()


_RELATIONS = ("OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE", "OBJECT_SEQUENCE")
_OF_COLUMN = ("AT_DropColumn", "AT_AlterColumnType", "AT_SetExpression", "AT_DropExpression")


def enum_word(node: Any, field: str) -> str:
    """The word that a field of a node has."""
    return str(node.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number[getattr(node, field)].name)


def qualified_name(one: Any) -> tuple[str, str]:
    """Schema, or nothing, and name of what DROP names."""
    if one.HasField("string"):
        return "", str(one.string.sval)
    parts = one.list.items if one.HasField("list") else ()
    if one.HasField("object_with_args"):
        parts = one.object_with_args.objname
    if one.HasField("type_name"):
        parts = one.type_name.names
    names = [part.string.sval for part in parts if part.HasField("string")]
    return (names[-2] if len(names) > 1 else "", names[-1] if names else "")
